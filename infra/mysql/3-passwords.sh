# Read by the entry point of compose's MySQL when it makes its data; without Docker, infra/local/mysql_server.py does the same.
for file in /run/secrets/*; do
    docker_process_sql <<<"ALTER USER '${file##*/}'@'%' IDENTIFIED BY '$(<"$file")' ACCOUNT UNLOCK"
done
