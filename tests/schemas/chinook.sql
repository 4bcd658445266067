-- Chinook, after its documentation; see README.md. The rows are ours.
CREATE TABLE "Artist" ("ArtistId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Album" (
  "AlbumId" int PRIMARY KEY, "Title" varchar(160) NOT NULL, "ArtistId" int NOT NULL REFERENCES "Artist");
CREATE TABLE "Employee" (
  "EmployeeId" int PRIMARY KEY, "LastName" varchar(20) NOT NULL, "FirstName" varchar(20) NOT NULL, "Title" varchar(30),
  "ReportsTo" int REFERENCES "Employee", "BirthDate" timestamp, "HireDate" timestamp, "Address" varchar(70),
  "City" varchar(40), "State" varchar(40), "Country" varchar(40), "PostalCode" varchar(10), "Phone" varchar(24),
  "Fax" varchar(24), "Email" varchar(60));
CREATE TABLE "Customer" (
  "CustomerId" int PRIMARY KEY, "FirstName" varchar(40) NOT NULL, "LastName" varchar(20) NOT NULL, "Company" varchar(80),
  "Address" varchar(70), "City" varchar(40), "State" varchar(40), "Country" varchar(40), "PostalCode" varchar(10),
  "Phone" varchar(24), "Fax" varchar(24), "Email" varchar(60) NOT NULL, "SupportRepId" int REFERENCES "Employee");
CREATE TABLE "Genre" ("GenreId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "MediaType" ("MediaTypeId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "Track" (
  "TrackId" int PRIMARY KEY, "Name" varchar(200) NOT NULL, "AlbumId" int REFERENCES "Album",
  "MediaTypeId" int NOT NULL REFERENCES "MediaType", "GenreId" int REFERENCES "Genre", "Composer" varchar(220),
  "Milliseconds" int NOT NULL, "Bytes" int, "UnitPrice" numeric(10,2) NOT NULL);
CREATE TABLE "Invoice" (
  "InvoiceId" int PRIMARY KEY, "CustomerId" int NOT NULL REFERENCES "Customer", "InvoiceDate" timestamp NOT NULL,
  "BillingAddress" varchar(70), "BillingCity" varchar(40), "BillingState" varchar(40), "BillingCountry" varchar(40),
  "BillingPostalCode" varchar(10), "Total" numeric(10,2) NOT NULL);
CREATE TABLE "InvoiceLine" (
  "InvoiceLineId" int PRIMARY KEY, "InvoiceId" int NOT NULL REFERENCES "Invoice",
  "TrackId" int NOT NULL REFERENCES "Track", "UnitPrice" numeric(10,2) NOT NULL, "Quantity" int NOT NULL);
CREATE TABLE "Playlist" ("PlaylistId" int PRIMARY KEY, "Name" varchar(120));
CREATE TABLE "PlaylistTrack" (
  "PlaylistId" int NOT NULL REFERENCES "Playlist", "TrackId" int NOT NULL REFERENCES "Track",
  PRIMARY KEY ("PlaylistId", "TrackId"));
CREATE INDEX ON "Customer" ("SupportRepId");
CREATE INDEX ON "Invoice" ("CustomerId");
CREATE INDEX ON "InvoiceLine" ("InvoiceId");

INSERT INTO "Artist" SELECT n, 'Band ' || n FROM generate_series(1, 4) n;
INSERT INTO "Album" SELECT n, 'Album ' || n, 1 + n % 4 FROM generate_series(1, 8) n;
INSERT INTO "Genre" VALUES (1, 'Rock'), (2, 'Jazz');
INSERT INTO "MediaType" VALUES (1, 'MPEG'), (2, 'AAC');
INSERT INTO "Track" SELECT n, 'Track ' || n, 1 + n % 8, 1, 1 + n % 2, NULL, 200000, 5000, 0.99 FROM generate_series(1, 20) n;
INSERT INTO "Employee" SELECT n, 'Clerk', 'Number ' || n, 'Sales Support', nullif(1, n), '1980-02-03', '2010-01-01',
  'Main Road ' || n, 'Calgary', 'AB', 'Canada', 'T2P 2T3', '+1 403 555 010' || n, NULL, 'clerk' || n || '@media.example'
  FROM generate_series(1, 4) n;
INSERT INTO "Customer" SELECT n, 'Ada', 'Number ' || n, NULL, 'Side Road ' || n, 'Oslo', NULL, 'Norway', '0171',
  '+47 22 44 22 2' || n, NULL, 'ada' || n || '@example.org', 1 + n % 4 FROM generate_series(1, 9) n;
INSERT INTO "Invoice" SELECT n, 1 + n % 9, timestamp '2025-01-01' + n * interval '1 day', 'Side Road', 'Oslo', NULL,
  'Norway', '0171', 1.98 FROM generate_series(1, 40) n;
INSERT INTO "InvoiceLine" SELECT n, 1 + n % 40, 1 + n % 20, 0.99, 1 FROM generate_series(1, 120) n;
INSERT INTO "Playlist" VALUES (1, 'All');
INSERT INTO "PlaylistTrack" SELECT 1, n FROM generate_series(1, 20) n;
