-- The demo's shop: 2,000 invented customers and some 43,000 rows in 9 tables. Deterministic: everything
-- follows from the customer's number, so each run checks the same people.
-- Every name, address and number is made up; example.org and 192.0.2.0/24 belong to nobody.

CREATE TABLE products (
    sku          text PRIMARY KEY,
    name         text NOT NULL,
    price_cents  bigint NOT NULL
);
CREATE TABLE customers (
    id                bigint PRIMARY KEY,
    email             text NOT NULL UNIQUE,
    full_name         text NOT NULL,
    phone             text,
    birth_date        date,
    password_hash     text NOT NULL,
    marketing_opt_in  boolean NOT NULL,
    created_at        timestamptz NOT NULL
);
CREATE TABLE addresses (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers (id),
    street       text,
    city         text,
    postal_code  text,
    country      text NOT NULL
);
CREATE TABLE orders (
    id                   bigint PRIMARY KEY,
    customer_id          bigint NOT NULL REFERENCES customers (id),
    shipping_address_id  bigint NOT NULL REFERENCES addresses (id),
    status               text NOT NULL,
    total_cents          bigint NOT NULL,
    note                 text,
    placed_at            timestamptz NOT NULL
);
CREATE TABLE order_items (
    id            bigint PRIMARY KEY,
    order_id      bigint NOT NULL REFERENCES orders (id),
    sku           text NOT NULL REFERENCES products (sku),
    quantity      int NOT NULL,
    price_cents   bigint NOT NULL,
    gift_message  text,
    added_at      timestamptz NOT NULL
);
CREATE TABLE payments (
    id            bigint PRIMARY KEY,
    order_id      bigint NOT NULL REFERENCES orders (id),
    card_last4    text,
    billing_name  text,
    amount_cents  bigint NOT NULL,
    paid_at       timestamptz NOT NULL
);
CREATE TABLE support_messages (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers (id),
    subject      text NOT NULL,
    body         text NOT NULL,
    photo        text,  -- its key in the bucket, which names nobody
    created_at   timestamptz NOT NULL
);
-- No foreign key here, as in many a real shop: only the data map knows that these rows belong to a customer.
CREATE TABLE sessions (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL,
    ip_address   inet NOT NULL,
    user_agent   text NOT NULL,
    started_at   timestamptz NOT NULL
);
-- Knows people by their e-mail address alone, in whatever letters they typed.
CREATE TABLE newsletter (
    email          text PRIMARY KEY,
    topics         text[] NOT NULL,
    subscribed_at  timestamptz NOT NULL
);

INSERT INTO products
SELECT 'SKU-' || lpad(p::text, 4, '0'),
       (ARRAY['Walnut', 'Linen', 'Copper', 'Cedar', 'Wool', 'Slate', 'Amber', 'Birch'])[1 + p % 8] || ' ' ||
       (ARRAY['lamp', 'bowl', 'chair', 'blanket', 'notebook', 'kettle', 'frame', 'basket', 'mirror', 'vase'])[1 + p % 10],
       900 + p * 137 % 9000
FROM generate_series(1, 120) AS p;

WITH names AS (
    SELECT i,
           (ARRAY['Anna', 'Ben', 'Clara', 'David', 'Elif', 'Felix', 'Greta', 'Hugo', 'Ines', 'Jürgen',
                  'Karin', 'Lars', 'Mina', 'Noah', 'Olga', 'Pavel', 'Rosa', 'Samir', 'Tessa', 'Umut',
                  'Vera', 'Wim', 'Xenia', 'Yusuf', 'Zoë', 'Amir', 'Bianca', 'Cem', 'Dora', 'Emil',
                  'Fatma', 'Gil', 'Hanna', 'Ivan', 'Jana', 'Kofi', 'Lea', 'Marek', 'Nora', 'Otto',
                  'Petra', 'Quinn', 'Rafael', 'Sofia', 'Timo', 'Ute', 'Viktor', 'Wanda', 'Yara', 'Zeno'])[1 + i % 50] AS first,
           (ARRAY['Adler', 'Berg', 'Castell', 'Demir', 'Engel', 'Fontaine', 'Gruber', 'Hansen', 'Ivanov', 'Jansen',
                  'Keller', 'Lindner', 'Moreau', 'Nowak', 'Okafor', 'Peeters', 'Quandt', 'Rossi', 'Sørensen', 'Tanaka',
                  'Ulrich', 'Vogel', 'Weiss', 'Yilmaz', 'Zimmer', 'Abels', 'Brandt', 'Conti', 'Dubois', 'Ebert',
                  'Fischer', 'Garcia', 'Hoffmann', 'Ito', 'Jung', 'Kovač', 'Larsson', 'Meyer', 'Novak', 'Ortega', 'Pohl'])[1 + i / 50] AS last
    FROM generate_series(1, 2000) AS i
)
INSERT INTO customers
SELECT i,
       CASE WHEN i % 7 = 1 THEN first || '.' || last ELSE lower(translate(first || '.' || last, 'üëøč', 'ueoc')) END || '@example.org',
       first || ' ' || last,
       '+49 30 ' || lpad((1000000 + i * 4391)::text, 7, '0'),
       date '1946-01-01' + i * 7919 % 21900,
       'argon2id$' || md5('salt' || i),
       i % 3 = 2,
       timestamptz '2012-03-01 08:00+00' + i * interval '31 hours'
FROM names;

INSERT INTO addresses
SELECT i * 10 + k, i,
       (ARRAY['Linden', 'Markt', 'Hafen', 'Garten', 'Kirch', 'Berg', 'Wiesen', 'Mühlen'])[1 + (i + k) % 8] || 'straße ' || i || (ARRAY['', 'b'])[k],
       (ARRAY['Berlin', 'Hamburg', 'Köln', 'Leipzig', 'Bremen', 'Kiel', 'Ulm'])[1 + (i + k) % 7],
       lpad((10000 + (i * 31 + k * 7) % 89000)::text, 5, '0'),
       'DE'
FROM generate_series(1, 2000) AS i, generate_series(1, 1 + i % 2) AS k;

INSERT INTO orders
SELECT i * 10 + k, i, i * 10 + 1 + k % (1 + i % 2),
       (ARRAY['paid', 'shipped', 'delivered', 'returned'])[1 + (i + k) % 4], 0,
       CASE WHEN (i + k) % 2 = 0 THEN 'Please ring at ' || full_name || ', second floor' END,
       timestamptz '2013-01-03 10:00+00' + ((i * 37 + k * 811) % 4900) * interval '1 day' + k * interval '13 minutes'
FROM customers AS c(i, email, full_name), generate_series(1, 1 + i % 6) AS k;

INSERT INTO order_items
SELECT o.id * 10 + k, o.id, p.sku, 1 + (o.id + k) % 3, p.price_cents,
       CASE WHEN (o.id + k) % 3 = 0 THEN 'With love from ' || split_part(c.full_name, ' ', 1) END,
       o.placed_at
FROM orders AS o
JOIN customers AS c ON c.id = o.customer_id
CROSS JOIN generate_series(1, 1 + o.id % 3) AS k
JOIN products AS p ON p.sku = 'SKU-' || lpad((1 + (o.id * 17 + k * 5) % 120)::text, 4, '0');

UPDATE orders SET total_cents = t.total
FROM (SELECT order_id, sum(quantity * price_cents) AS total FROM order_items GROUP BY order_id) AS t
WHERE t.order_id = orders.id;

INSERT INTO payments
SELECT o.id, o.id, lpad((o.id * 7 % 10000)::text, 4, '0'), upper(c.full_name), o.total_cents,
       o.placed_at + interval '4 minutes'
FROM orders AS o
JOIN customers AS c ON c.id = o.customer_id;

INSERT INTO support_messages
SELECT i * 10 + k, i,
       (ARRAY['Where is my parcel?', 'A question about my order', 'Wrong colour'])[k],
       'Hello, my name is ' || full_name || '. Please call me on ' || phone || ' or write to ' || email || '.',
       CASE WHEN k = 1 THEN 'uploads/' || md5('photo' || i) || '.png' END,
       timestamptz '2024-02-01 09:00+00' + (i * 13 + k * 97) % 900 * interval '1 day'
FROM customers AS c(i, email, full_name, phone), generate_series(1, i % 4) AS k;

INSERT INTO sessions
SELECT i * 10 + k, i, ('192.0.2.' || (i + k) % 254 + 1)::inet,
       (ARRAY['Firefox/141.0 (Linux)', 'Safari/19.1 (iPhone)', 'Chrome/139.0 (Android)'])[1 + (i + k) % 3],
       timestamptz '2026-01-01 00:00+00' + (i * 41 + k * 359) % 7000 * interval '1 hour'
FROM generate_series(1, 2000) AS i, generate_series(1, 1 + i % 5) AS k;

INSERT INTO newsletter
SELECT CASE WHEN id % 2 = 1 THEN initcap(email) ELSE email END, ARRAY['offers', 'news'],
       created_at + interval '3 days'
FROM customers
WHERE marketing_opt_in;

-- The indexes a shop has; an engine that looks people up by them need not read whole tables.
CREATE INDEX ON customers (lower(email));
CREATE INDEX ON newsletter (lower(email));
CREATE INDEX ON addresses (customer_id);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (shipping_address_id);
CREATE INDEX ON order_items (order_id);
CREATE INDEX ON payments (order_id);
CREATE INDEX ON support_messages (customer_id);
CREATE INDEX ON sessions (customer_id);
ANALYZE;
