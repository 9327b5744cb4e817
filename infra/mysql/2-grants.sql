-- What each service does with its tables, which is all that the user it runs as may do. A full run of the tests fails when
-- a statement needs more, and when one of these is needed by none. What only grows is never changed or deleted: movements,
-- steps, tries, recorded answers; nor is a product, a reservation, an order or a fulfilment deleted.
--
-- The tables come later, with the migrations, and only a grant that includes CREATE may name a table that isn't there yet.
-- So CREATE is given first, and taken back below.

GRANT CREATE, SELECT, INSERT, UPDATE ON catalog.products TO 'catalog_run'@'%';
GRANT CREATE, SELECT, INSERT ON catalog.stock_movements TO 'catalog_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE ON catalog.reservations TO 'catalog_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE ON catalog.customer_purchases TO 'catalog_run'@'%';
GRANT CREATE, SELECT, INSERT ON catalog.idempotency_keys TO 'catalog_run'@'%';

GRANT CREATE, SELECT, INSERT, UPDATE ON ordering.orders TO 'ordering_run'@'%';
GRANT CREATE, SELECT, INSERT ON ordering.order_steps TO 'ordering_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ordering.outbox TO 'ordering_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ordering.dead_letters TO 'ordering_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ordering.workers TO 'ordering_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE ON ordering.redis_marks TO 'ordering_run'@'%';

GRANT CREATE, SELECT, INSERT, UPDATE ON fulfilment.fulfilments TO 'fulfilment_run'@'%';
GRANT CREATE, SELECT, INSERT ON fulfilment.past_tries TO 'fulfilment_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON fulfilment.outbox TO 'fulfilment_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON fulfilment.dead_letters TO 'fulfilment_run'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON fulfilment.workers TO 'fulfilment_run'@'%';

REVOKE CREATE ON catalog.products FROM 'catalog_run'@'%';
REVOKE CREATE ON catalog.stock_movements FROM 'catalog_run'@'%';
REVOKE CREATE ON catalog.reservations FROM 'catalog_run'@'%';
REVOKE CREATE ON catalog.customer_purchases FROM 'catalog_run'@'%';
REVOKE CREATE ON catalog.idempotency_keys FROM 'catalog_run'@'%';
REVOKE CREATE ON ordering.orders FROM 'ordering_run'@'%';
REVOKE CREATE ON ordering.order_steps FROM 'ordering_run'@'%';
REVOKE CREATE ON ordering.outbox FROM 'ordering_run'@'%';
REVOKE CREATE ON ordering.dead_letters FROM 'ordering_run'@'%';
REVOKE CREATE ON ordering.workers FROM 'ordering_run'@'%';
REVOKE CREATE ON ordering.redis_marks FROM 'ordering_run'@'%';
REVOKE CREATE ON fulfilment.fulfilments FROM 'fulfilment_run'@'%';
REVOKE CREATE ON fulfilment.past_tries FROM 'fulfilment_run'@'%';
REVOKE CREATE ON fulfilment.outbox FROM 'fulfilment_run'@'%';
REVOKE CREATE ON fulfilment.dead_letters FROM 'fulfilment_run'@'%';
REVOKE CREATE ON fulfilment.workers FROM 'fulfilment_run'@'%';
