-- One schema per service, and two users for each: one that migrates it, and one that runs on it and may change rows only.
-- A service can't even see another's tables, so they meet at their contracts alone.
-- The passwords guard nothing but this rule: both topologies listen on loopback only.
-- Safe to run at every start, on MySQL 8.4 and newer and on MariaDB 10.11.

CREATE DATABASE IF NOT EXISTS catalog CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'catalog_migrate'@'%' IDENTIFIED BY 'catalog_migrate';
CREATE USER IF NOT EXISTS 'catalog_run'@'%' IDENTIFIED BY 'catalog_run';
GRANT ALL PRIVILEGES ON catalog.* TO 'catalog_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.* TO 'catalog_run'@'%';

CREATE DATABASE IF NOT EXISTS ordering CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'ordering_migrate'@'%' IDENTIFIED BY 'ordering_migrate';
CREATE USER IF NOT EXISTS 'ordering_run'@'%' IDENTIFIED BY 'ordering_run';
GRANT ALL PRIVILEGES ON ordering.* TO 'ordering_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON ordering.* TO 'ordering_run'@'%';

CREATE DATABASE IF NOT EXISTS fulfilment CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'fulfilment_migrate'@'%' IDENTIFIED BY 'fulfilment_migrate';
CREATE USER IF NOT EXISTS 'fulfilment_run'@'%' IDENTIFIED BY 'fulfilment_run';
GRANT ALL PRIVILEGES ON fulfilment.* TO 'fulfilment_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON fulfilment.* TO 'fulfilment_run'@'%';
