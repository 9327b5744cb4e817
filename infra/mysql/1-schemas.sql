-- One schema per service, and two users for each: one that migrates it, and one that runs on it and may do what
-- 2-grants.sql lists. A service can't even see another's tables, so they meet at their contracts alone.
-- Locked until their passwords are set: those stand in no file of the tree.
-- Safe to run at every start, on MySQL 8.4 and newer and on MariaDB 10.11.

CREATE DATABASE IF NOT EXISTS catalog CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'catalog_migrate'@'%' ACCOUNT LOCK;
CREATE USER IF NOT EXISTS 'catalog_run'@'%' ACCOUNT LOCK;
GRANT ALL PRIVILEGES ON catalog.* TO 'catalog_migrate'@'%';

CREATE DATABASE IF NOT EXISTS ordering CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'ordering_migrate'@'%' ACCOUNT LOCK;
CREATE USER IF NOT EXISTS 'ordering_run'@'%' ACCOUNT LOCK;
GRANT ALL PRIVILEGES ON ordering.* TO 'ordering_migrate'@'%';

CREATE DATABASE IF NOT EXISTS fulfilment CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'fulfilment_migrate'@'%' ACCOUNT LOCK;
CREATE USER IF NOT EXISTS 'fulfilment_run'@'%' ACCOUNT LOCK;
GRANT ALL PRIVILEGES ON fulfilment.* TO 'fulfilment_migrate'@'%';
