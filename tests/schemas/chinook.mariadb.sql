-- Chinook, after its documentation, as it is spread for MySQL; see README.md. The rows are ours.
CREATE TABLE `Artist` (`ArtistId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `Album` (
  `AlbumId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Title` NVARCHAR(160) NOT NULL, `ArtistId` INT NOT NULL);
CREATE TABLE `Employee` (
  `EmployeeId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `LastName` NVARCHAR(20) NOT NULL,
  `FirstName` NVARCHAR(20) NOT NULL, `Title` NVARCHAR(30), `ReportsTo` INT, `BirthDate` DATETIME, `HireDate` DATETIME,
  `Address` NVARCHAR(70), `City` NVARCHAR(40), `State` NVARCHAR(40), `Country` NVARCHAR(40), `PostalCode` NVARCHAR(10),
  `Phone` NVARCHAR(24), `Fax` NVARCHAR(24), `Email` NVARCHAR(60));
CREATE TABLE `Customer` (
  `CustomerId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `FirstName` NVARCHAR(40) NOT NULL,
  `LastName` NVARCHAR(20) NOT NULL, `Company` NVARCHAR(80), `Address` NVARCHAR(70), `City` NVARCHAR(40),
  `State` NVARCHAR(40), `Country` NVARCHAR(40), `PostalCode` NVARCHAR(10), `Phone` NVARCHAR(24), `Fax` NVARCHAR(24),
  `Email` NVARCHAR(60) NOT NULL, `SupportRepId` INT);
CREATE TABLE `Genre` (`GenreId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `MediaType` (`MediaTypeId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `Track` (
  `TrackId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(200) NOT NULL, `AlbumId` INT,
  `MediaTypeId` INT NOT NULL, `GenreId` INT, `Composer` NVARCHAR(220), `Milliseconds` INT NOT NULL, `Bytes` INT,
  `UnitPrice` NUMERIC(10,2) NOT NULL);
CREATE TABLE `Invoice` (
  `InvoiceId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `CustomerId` INT NOT NULL, `InvoiceDate` DATETIME NOT NULL,
  `BillingAddress` NVARCHAR(70), `BillingCity` NVARCHAR(40), `BillingState` NVARCHAR(40),
  `BillingCountry` NVARCHAR(40), `BillingPostalCode` NVARCHAR(10), `Total` NUMERIC(10,2) NOT NULL);
CREATE TABLE `InvoiceLine` (
  `InvoiceLineId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `InvoiceId` INT NOT NULL, `TrackId` INT NOT NULL,
  `UnitPrice` NUMERIC(10,2) NOT NULL, `Quantity` INT NOT NULL);
CREATE TABLE `Playlist` (`PlaylistId` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `Name` NVARCHAR(120));
CREATE TABLE `PlaylistTrack` (
  `PlaylistId` INT NOT NULL, `TrackId` INT NOT NULL,
  CONSTRAINT `PK_PlaylistTrack` PRIMARY KEY (`PlaylistId`, `TrackId`));
ALTER TABLE `Album` ADD CONSTRAINT `FK_AlbumArtistId`
  FOREIGN KEY (`ArtistId`) REFERENCES `Artist` (`ArtistId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `Customer` ADD CONSTRAINT `FK_CustomerSupportRepId`
  FOREIGN KEY (`SupportRepId`) REFERENCES `Employee` (`EmployeeId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `Employee` ADD CONSTRAINT `FK_EmployeeReportsTo`
  FOREIGN KEY (`ReportsTo`) REFERENCES `Employee` (`EmployeeId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `Invoice` ADD CONSTRAINT `FK_InvoiceCustomerId`
  FOREIGN KEY (`CustomerId`) REFERENCES `Customer` (`CustomerId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `InvoiceLine` ADD CONSTRAINT `FK_InvoiceLineInvoiceId`
  FOREIGN KEY (`InvoiceId`) REFERENCES `Invoice` (`InvoiceId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `InvoiceLine` ADD CONSTRAINT `FK_InvoiceLineTrackId`
  FOREIGN KEY (`TrackId`) REFERENCES `Track` (`TrackId`) ON DELETE NO ACTION ON UPDATE NO ACTION;
ALTER TABLE `PlaylistTrack` ADD CONSTRAINT `FK_PlaylistTrackPlaylistId`
  FOREIGN KEY (`PlaylistId`) REFERENCES `Playlist` (`PlaylistId`);
ALTER TABLE `PlaylistTrack` ADD CONSTRAINT `FK_PlaylistTrackTrackId`
  FOREIGN KEY (`TrackId`) REFERENCES `Track` (`TrackId`);
ALTER TABLE `Track` ADD CONSTRAINT `FK_TrackAlbumId` FOREIGN KEY (`AlbumId`) REFERENCES `Album` (`AlbumId`);
ALTER TABLE `Track` ADD CONSTRAINT `FK_TrackGenreId` FOREIGN KEY (`GenreId`) REFERENCES `Genre` (`GenreId`);
ALTER TABLE `Track` ADD CONSTRAINT `FK_TrackMediaTypeId`
  FOREIGN KEY (`MediaTypeId`) REFERENCES `MediaType` (`MediaTypeId`);

INSERT INTO Artist SELECT seq, CONCAT('Band ', seq) FROM seq_1_to_4;
INSERT INTO Album SELECT seq, CONCAT('Album ', seq), 1 + seq % 4 FROM seq_1_to_8;
INSERT INTO Genre VALUES (1, 'Rock'), (2, 'Jazz');
INSERT INTO MediaType VALUES (1, 'MPEG'), (2, 'AAC');
INSERT INTO Track SELECT seq, CONCAT('Track ', seq), 1 + seq % 8, 1, 1 + seq % 2, NULL, 200000, 5000, 0.99
  FROM seq_1_to_20;
INSERT INTO Employee SELECT seq, 'Clerk', CONCAT('Number ', seq), 'Sales Support', NULLIF(1, seq), '1980-02-03',
  '2010-01-01', CONCAT('Main Road ', seq), 'Calgary', 'AB', 'Canada', 'T2P 2T3', CONCAT('+1 403 555 010', seq), NULL,
  CONCAT('clerk', seq, '@media.example') FROM seq_1_to_4;
INSERT INTO Customer SELECT seq, 'Ada', CONCAT('Number ', seq), NULL, CONCAT('Side Road ', seq), 'Oslo', NULL, 'Norway',
  '0171', CONCAT('+47 22 44 22 2', seq), NULL, CONCAT('ada', seq, '@example.org'), 1 + seq % 4 FROM seq_1_to_9;
INSERT INTO Invoice SELECT seq, 1 + seq % 9, DATE '2025-01-01' + INTERVAL seq DAY, 'Side Road', 'Oslo', NULL, 'Norway',
  '0171', 1.98 FROM seq_1_to_40;
INSERT INTO InvoiceLine SELECT seq, 1 + seq % 40, 1 + seq % 20, 0.99, 1 FROM seq_1_to_120;
INSERT INTO Playlist VALUES (1, 'All');
INSERT INTO PlaylistTrack SELECT 1, seq FROM seq_1_to_20;
