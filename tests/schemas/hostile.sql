-- A database as nobody should have made it: all that the SQL connector promises to cope with, in one place. See README.md.
-- Five people: anna (tenant a, number 1), ben (a, 2), cleo (b, 1: anna's number), dora (b, 2: anna's name), emil (c, 1).
CREATE EXTENSION btree_gist;
CREATE SCHEMA "Sales";
CREATE SCHEMA "select";
CREATE TYPE "Sales"."Status" AS ENUM ('new', 'Old "friend"', 'x,y');
CREATE TYPE "Sales".place AS (street text, "Zip" char(8), at point);
CREATE DOMAIN "Sales".mail AS text CHECK (VALUE ~ '@');
CREATE DOMAIN "Sales".strict_mail AS "Sales".mail NOT NULL;

-- A key of two columns, neither a whole number of the usual kind; every type that a careless export would bend.
CREATE TABLE "Sales"."Customer" (
  "Tenant" varchar(10) NOT NULL, "No" smallint NOT NULL, row_id bigint GENERATED ALWAYS AS IDENTITY,
  email "Sales".strict_mail, "Full Name" text, name text NOT NULL, "Display" text GENERATED ALWAYS AS (upper(name)) STORED,
  status "Sales"."Status" DEFAULT 'new', "deletedAt" timestamptz, balance numeric, exact numeric(30,12), ratio float8,
  small real, cash money, photo bytea, tags text[], grid int[][], stays tstzrange, terms int4multirange, born date,
  woken time, zoned timetz, seen timestamp, since timestamptz, waited interval, ip inet, net cidr, mac macaddr, ref uuid,
  prefs jsonb, raw json, home "Sales".place, flags bit varying(9), code char(6), found tsvector, spot point, doc bpchar,
  active boolean, statuses "Sales"."Status"[],
  PRIMARY KEY ("Tenant", "No"));
CREATE INDEX ON "Sales"."Customer" (lower(email));
-- The name of the table and of two of its columns are reserved words; its key is a UUID.
CREATE TABLE "Sales"."order" (
  id uuid PRIMARY KEY, "user" smallint, "group" varchar(10), placed date NOT NULL,
  FOREIGN KEY ("group", "user") REFERENCES "Sales"."Customer" ("Tenant", "No"));
CREATE INDEX ON "Sales"."order" ("group", "user");
-- Partitions, one of them with its columns in another order, one of partitions of its own.
CREATE TABLE "Sales".line (
  "order" uuid NOT NULL REFERENCES "Sales"."order", n int, shipped date NOT NULL, note text,
  PRIMARY KEY ("order", n, shipped)) PARTITION BY RANGE (shipped);
CREATE TABLE "Sales".line_old (note text, shipped date NOT NULL, n int NOT NULL, "order" uuid NOT NULL);
ALTER TABLE "Sales".line ATTACH PARTITION "Sales".line_old FOR VALUES FROM ('2000-01-01') TO ('2024-01-01');
CREATE TABLE "Sales".line_new PARTITION OF "Sales".line FOR VALUES FROM ('2024-01-01') TO (MAXVALUE) PARTITION BY HASH (n);
CREATE TABLE "Sales".line_new_0 PARTITION OF "Sales".line_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "Sales".line_new_1 PARTITION OF "Sales".line_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- A diamond: by the customer, by the order, and by the line; and a table below it that two paths lead to.
CREATE TABLE "Sales".payment (
  id numeric(20,0) PRIMARY KEY, "order" uuid REFERENCES "Sales"."order", "Tenant" varchar(10), "No" smallint,
  FOREIGN KEY ("Tenant", "No") REFERENCES "Sales"."Customer" ON DELETE RESTRICT);
CREATE INDEX ON "Sales".payment ("order");
CREATE INDEX ON "Sales".payment ("Tenant", "No");
CREATE TABLE "Sales".refund (id timestamptz PRIMARY KEY, payment numeric REFERENCES "Sales".payment, "order" uuid);
CREATE INDEX ON "Sales".refund (payment);
CREATE INDEX ON "Sales".refund ("order");
-- References in a circle, one of them deferred, and a tree.
CREATE TABLE "select"."from" (
  "where" bytea PRIMARY KEY, tenant varchar(10), no smallint, best int, FOREIGN KEY (tenant, no) REFERENCES "Sales"."Customer");
CREATE TABLE "select".post (
  id int PRIMARY KEY, author bytea NOT NULL REFERENCES "select"."from" DEFERRABLE INITIALLY DEFERRED,
  reply_to int REFERENCES "select".post, body text);
ALTER TABLE "select"."from" ADD FOREIGN KEY (best) REFERENCES "select".post;
CREATE INDEX ON "select"."from" (tenant, no);
CREATE INDEX ON "select"."from" (best);
CREATE INDEX ON "select".post (author);
CREATE INDEX ON "select".post (reply_to);
-- Rows that hang on one table or on another, by a text.
CREATE TABLE attachment (id int PRIMARY KEY, owner_type text, owner_id text, file bytea);
CREATE INDEX ON attachment (owner_id);
-- No foreign key at all; a document; a list in a document; an array.
CREATE TABLE login (id bigint PRIMARY KEY, mail text, at timestamptz);
CREATE INDEX ON login (mail);
CREATE TABLE newsletter (mail text PRIMARY KEY);
CREATE INDEX ON newsletter (lower(mail));
CREATE TABLE event (id int PRIMARY KEY, payload jsonb);
CREATE TABLE survey (id int PRIMARY KEY, answers json);
CREATE TABLE basket (id int PRIMARY KEY, orders uuid[]);
-- Rows of two tables in one: a select of the first gives those of the second, too.
CREATE TABLE document (id int PRIMARY KEY, "order" uuid, body text);
CREATE TABLE invoice (total numeric, PRIMARY KEY (id)) INHERITS (document);
CREATE INDEX ON document ("order");
CREATE INDEX ON invoice ("order");
-- Two people's stays cannot overlap; what is not logged; a key that nobody may set.
CREATE TABLE booking (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, room int, during tstzrange, tenant varchar(10), no smallint,
  EXCLUDE USING gist (room WITH =, during WITH &&));
CREATE INDEX ON booking (tenant, no);
CREATE UNLOGGED TABLE session (token text PRIMARY KEY, tenant varchar(10), no smallint);
CREATE INDEX ON session (tenant, no);
-- Rows that a policy hides from almost everybody, the owner included.
CREATE TABLE secret (id int PRIMARY KEY, tenant varchar(10), no smallint, what text);
CREATE INDEX ON secret (tenant, no);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON secret USING (current_setting('app.tenant', true) = tenant);
-- What only shows the rest.
CREATE VIEW people AS SELECT "Tenant", "No", email, name FROM "Sales"."Customer" WHERE "deletedAt" IS NULL;
CREATE MATERIALIZED VIEW spending AS
  SELECT c.email, count(*) AS orders FROM "Sales"."Customer" c JOIN "Sales"."order" ON "group" = "Tenant" AND "user" = "No"
  GROUP BY 1;

INSERT INTO "Sales"."Customer" ("Tenant", "No", email, "Full Name", name, status, "deletedAt", balance, exact, ratio, small, cash,
  photo, tags, grid, stays, terms, born, woken, zoned, seen, since, waited, ip, net, mac, ref, prefs, raw, home, flags, code,
  found, spot, doc, active, statuses)
SELECT t, n, m, 'Full ' || w, w, s::"Sales"."Status", CASE WHEN m LIKE 'anna%' THEN timestamptz '2020-02-29 12:00+05:30' END,
  b, 123456789012345678.000000000001, 0.1::float8 + 0.2::float8, 1.1::real, '1234.50', '\x00ff5c27',
  ARRAY['a,b', '"q"', NULL, 'null', ''], ARRAY[[1, 2], [3, NULL]], '[2026-01-01 00:00+02,infinity)', '{[1,3),[5,)}',
  d, '24:00', '23:59:59.999999-12', '1999-12-31 23:59:59.999999', 'infinity', '-1 year 2 mons -3 days 04:05:06.789',
  '2001:db8::1/64', '10.1.0.0/16', '08:00:2b:01:02:03', md5(m)::uuid, '{"b": 1.10, "a": [null, "\u00e9"], "mail": "x"}',
  E'{"b":1,\n "b":2,  "n":1e400}', ROW('Main "St", 1', '12345', point(1.5, -2))::"Sales".place, B'10101', 'x',
  to_tsvector('simple', 'The ''quick'' fox'), point(0.1, 1e300), 'lorem', n = 1, ARRAY['x,y', 'new']::"Sales"."Status"[]
FROM (VALUES
  ('a', 1, 'anna@example.org', 'Anna "A." O''Neil', 'Old "friend"', 'NaN'::numeric, '0044-03-15 BC'::date),
  ('a', 2, 'ben@example.org', 'Ben', 'new', 1e-20, 'infinity'),
  ('b', 1, 'cleo@example.org', 'Cleo', 'x,y', 1.10, '1984-02-29'),
  ('b', 2, 'dora@example.org', 'Anna "A." O''Neil', 'new', 99999999999999999999.99, NULL),
  ('c', 1, 'emil@example.org', 'Emil', NULL, NULL, '2000-01-01')) AS p(t, n, m, w, s, b, d);
INSERT INTO "Sales"."order" SELECT md5("Tenant" || "No" || k)::uuid, "No", "Tenant", date '2023-01-01' + 200 * k
  FROM "Sales"."Customer", generate_series(1, 3) k;
INSERT INTO "Sales"."order" VALUES (md5('nobody')::uuid, NULL, 'a', '2024-01-01'), (md5('half')::uuid, 1, NULL, '2024-01-01');
INSERT INTO "Sales".line SELECT id, n, placed + 40 * n, 'note ' || n FROM "Sales"."order", generate_series(1, 4) n;
INSERT INTO "Sales".payment SELECT 12345678901234567000 + row_number() OVER (ORDER BY id), id,
  CASE WHEN placed < '2024-02-01' THEN "group" END, CASE WHEN placed < '2024-02-01' THEN "user" END FROM "Sales"."order";
INSERT INTO "Sales".payment SELECT 500 + row_number() OVER (ORDER BY "Tenant", "No"), NULL, "Tenant", "No" FROM "Sales"."Customer";
INSERT INTO "Sales".refund SELECT timestamptz '2024-01-01 00:00:00.000001Z' + id * interval '1 microsecond', id, NULL
  FROM "Sales".payment WHERE id < 1000;
INSERT INTO "Sales".refund SELECT timestamptz '2025-01-01Z' + row_number() OVER (ORDER BY id) * interval '1 s', NULL, id
  FROM "Sales"."order";
INSERT INTO "select"."from" SELECT decode(md5("Tenant" || "No"), 'hex'), "Tenant", "No" FROM "Sales"."Customer";
INSERT INTO "select".post SELECT 100 * row_number() OVER (PARTITION BY k ORDER BY tenant, no) + k, "where",
    CASE WHEN k > 1 THEN 100 * row_number() OVER (PARTITION BY k ORDER BY tenant, no) + k - 1 END, 'body'
  FROM "select"."from", generate_series(1, 3) k ORDER BY k;
UPDATE "select"."from" f SET best = (SELECT max(id) FROM "select".post WHERE author = f."where");
INSERT INTO attachment SELECT row_number() OVER (), kind, id::text, '\xdead'
  FROM "Sales"."order", unnest(ARRAY['order', 'invoice', NULL]) kind;
INSERT INTO attachment SELECT 1000 + row_number() OVER (), 'payment', id::text, '\xbeef' FROM "Sales".payment;
INSERT INTO login SELECT row_number() OVER (), email, '2026-01-01' FROM "Sales"."Customer", generate_series(1, 2);
INSERT INTO newsletter SELECT upper(email) FROM "Sales"."Customer";
INSERT INTO login VALUES (90, NULL, NULL), (91, '', NULL), (92, 'xanna@example.org', NULL);
INSERT INTO event SELECT row_number() OVER (), jsonb_build_object('who', jsonb_build_object('order', id)) FROM "Sales"."order";
INSERT INTO event VALUES (90, NULL), (91, '[]'), (92, '{"who": {"order": null}}'), (93, '{"who": "anna@example.org"}');
INSERT INTO survey SELECT row_number() OVER (), json_build_object('parts', json_build_array(
  json_build_object('paid', id), json_build_object('paid', NULL), json_build_object('other', 1))) FROM "Sales".payment;
INSERT INTO survey VALUES (900, NULL), (901, '{"parts": {"paid": "none"}}');
INSERT INTO basket SELECT row_number() OVER (), ARRAY[id, NULL, md5('nothing')::uuid] FROM "Sales"."order";
INSERT INTO basket VALUES (90, NULL), (91, '{}'), (92, ARRAY[md5('nothing')::uuid]);
INSERT INTO document SELECT row_number() OVER (), id, 'a letter' FROM "Sales"."order";
INSERT INTO invoice SELECT 100 + row_number() OVER (), id, 'an invoice', 12.50 FROM "Sales"."order";
INSERT INTO booking (room, during, tenant, no)
  SELECT k, tstzrange('2026-01-01'::timestamptz + "No" * interval '1 day', '2026-01-01'::timestamptz + ("No" + 1) * interval '1 day'),
    "Tenant", "No" FROM "Sales"."Customer" c, generate_series(1, 2) g, LATERAL (SELECT ascii("Tenant") * 10 + g AS k) x;
INSERT INTO session SELECT md5(random()::text), "Tenant", "No" FROM "Sales"."Customer", generate_series(1, 2);
INSERT INTO secret SELECT row_number() OVER (), "Tenant", "No", 'what nobody sees' FROM "Sales"."Customer";
REFRESH MATERIALIZED VIEW spending;
