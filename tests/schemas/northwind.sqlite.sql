-- Northwind, after its documentation, in the form spread for SQLite; see README.md. The rows are ours.
CREATE TABLE [Categories] (
  [CategoryID] INTEGER PRIMARY KEY AUTOINCREMENT, [CategoryName] TEXT, [Description] TEXT, [Picture] BLOB);
CREATE TABLE [CustomerDemographics] ([CustomerTypeID] TEXT NOT NULL, [CustomerDesc] TEXT, PRIMARY KEY ("CustomerTypeID"));
CREATE TABLE [Customers] (
  [CustomerID] TEXT, [CompanyName] TEXT, [ContactName] TEXT, [ContactTitle] TEXT, [Address] TEXT, [City] TEXT,
  [Region] TEXT, [PostalCode] TEXT, [Country] TEXT, [Phone] TEXT, [Fax] TEXT, PRIMARY KEY (`CustomerID`));
CREATE TABLE [CustomerCustomerDemo] (
  [CustomerID] TEXT NOT NULL, [CustomerTypeID] TEXT NOT NULL, PRIMARY KEY ("CustomerID", "CustomerTypeID"),
  FOREIGN KEY ([CustomerID]) REFERENCES [Customers] ([CustomerID]) ON DELETE NO ACTION ON UPDATE NO ACTION,
  FOREIGN KEY ([CustomerTypeID]) REFERENCES [CustomerDemographics] ([CustomerTypeID]));
CREATE TABLE [Employees] (
  [EmployeeID] INTEGER PRIMARY KEY AUTOINCREMENT, [LastName] TEXT, [FirstName] TEXT, [Title] TEXT,
  [TitleOfCourtesy] TEXT, [BirthDate] DATE, [HireDate] DATE, [Address] TEXT, [City] TEXT, [Region] TEXT,
  [PostalCode] TEXT, [Country] TEXT, [HomePhone] TEXT, [Extension] TEXT, [Photo] BLOB, [Notes] TEXT,
  [ReportsTo] INTEGER, [PhotoPath] TEXT, FOREIGN KEY ([ReportsTo]) REFERENCES [Employees] ([EmployeeID]));
CREATE TABLE [Suppliers] (
  [SupplierID] INTEGER PRIMARY KEY AUTOINCREMENT, [CompanyName] TEXT NOT NULL, [ContactName] TEXT, [ContactTitle] TEXT,
  [Address] TEXT, [City] TEXT, [Region] TEXT, [PostalCode] TEXT, [Country] TEXT, [Phone] TEXT, [Fax] TEXT,
  [HomePage] TEXT);
CREATE TABLE [Products] (
  [ProductID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [ProductName] TEXT NOT NULL, [SupplierID] INTEGER,
  [CategoryID] INTEGER, [QuantityPerUnit] TEXT, [UnitPrice] NUMERIC DEFAULT 0, [UnitsInStock] INTEGER DEFAULT 0,
  [UnitsOnOrder] INTEGER DEFAULT 0, [ReorderLevel] INTEGER DEFAULT 0, [Discontinued] TEXT NOT NULL DEFAULT '0',
  CHECK ([UnitPrice] >= 0), CHECK ([ReorderLevel] >= 0),
  FOREIGN KEY ([CategoryID]) REFERENCES [Categories] ([CategoryID]),
  FOREIGN KEY ([SupplierID]) REFERENCES [Suppliers] ([SupplierID]));
CREATE TABLE [Regions] ([RegionID] INTEGER NOT NULL PRIMARY KEY, [RegionDescription] TEXT NOT NULL);
CREATE TABLE [Shippers] ([ShipperID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [CompanyName] TEXT NOT NULL, [Phone] TEXT);
CREATE TABLE [Orders] (
  [OrderID] INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, [CustomerID] TEXT, [EmployeeID] INTEGER, [OrderDate] DATETIME,
  [RequiredDate] DATETIME, [ShippedDate] DATETIME, [ShipVia] INTEGER, [Freight] NUMERIC DEFAULT 0, [ShipName] TEXT,
  [ShipAddress] TEXT, [ShipCity] TEXT, [ShipRegion] TEXT, [ShipPostalCode] TEXT, [ShipCountry] TEXT,
  FOREIGN KEY ([EmployeeID]) REFERENCES [Employees] ([EmployeeID]),
  FOREIGN KEY ([CustomerID]) REFERENCES [Customers] ([CustomerID]),
  FOREIGN KEY ([ShipVia]) REFERENCES [Shippers] ([ShipperID]));
CREATE TABLE [Order Details] (
  [OrderID] INTEGER NOT NULL, [ProductID] INTEGER NOT NULL, [UnitPrice] NUMERIC NOT NULL DEFAULT 0,
  [Quantity] INTEGER NOT NULL DEFAULT 1, [Discount] REAL NOT NULL DEFAULT 0, PRIMARY KEY ("OrderID", "ProductID"),
  CHECK ([Discount] >= 0 AND [Discount] <= 1), CHECK ([Quantity] > 0), CHECK ([UnitPrice] >= 0),
  FOREIGN KEY ([OrderID]) REFERENCES [Orders] ([OrderID]) ON DELETE NO ACTION ON UPDATE NO ACTION,
  FOREIGN KEY ([ProductID]) REFERENCES [Products] ([ProductID]));
CREATE TABLE [Territories] (
  [TerritoryID] TEXT NOT NULL, [TerritoryDescription] TEXT NOT NULL, [RegionID] INTEGER NOT NULL,
  PRIMARY KEY ("TerritoryID"), FOREIGN KEY ([RegionID]) REFERENCES [Regions] ([RegionID]));
CREATE TABLE [EmployeeTerritories] (
  [EmployeeID] INTEGER NOT NULL, [TerritoryID] TEXT NOT NULL, PRIMARY KEY ("EmployeeID", "TerritoryID"),
  FOREIGN KEY ([EmployeeID]) REFERENCES [Employees] ([EmployeeID]),
  FOREIGN KEY ([TerritoryID]) REFERENCES [Territories] ([TerritoryID]));

CREATE VIEW n AS WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 40) SELECT i FROM s;
INSERT INTO Categories VALUES (1, 'Beverages', 'Soft drinks', NULL);
INSERT INTO CustomerDemographics VALUES ('SHOP', 'Retail');
INSERT INTO Customers SELECT 'ADA0' || i, 'Company ' || i, 'Ada Number ' || i, 'Owner', 'Road ' || i, 'Oslo', NULL, '0171',
  'Norway', '22 44 22 2' || i, NULL FROM n WHERE i <= 9;
INSERT INTO CustomerCustomerDemo SELECT CustomerID, 'SHOP' FROM Customers;
INSERT INTO Employees SELECT i, 'Clerk', 'Number ' || i, 'Sales', 'Ms.', '1980-02-03', '2010-01-01', 'Main Road', 'Oslo',
  NULL, '0171', 'Norway', '22 44 00 0' || i, '10' || i, x'00', 'Speaks French.', nullif(1, i), NULL FROM n WHERE i <= 4;
INSERT INTO Suppliers SELECT i, 'Supplier ' || i, 'Sam Number ' || i, NULL, 'Pier ' || i, 'Bergen', NULL, '5003', 'Norway',
  '55 55 00 0' || i, NULL, NULL FROM n WHERE i <= 2;
INSERT INTO Products SELECT i, 'Product ' || i, 1 + i % 2, 1, '10 boxes', 9.5, 10, 0, 5, '0' FROM n WHERE i <= 6;
INSERT INTO Regions VALUES (1, 'Western');
INSERT INTO Shippers VALUES (1, 'Speedy', '22 11 11 11');
INSERT INTO Orders SELECT i, 'ADA0' || (1 + i % 9), 1 + i % 4, date('2025-01-01', '+' || i || ' days'), NULL, NULL, 1, 3.5,
  'Ada Number', 'Road', 'Oslo', NULL, '0171', 'Norway' FROM n;
INSERT INTO Territories VALUES ('01581', 'Westboro', 1);
INSERT INTO EmployeeTerritories SELECT i, '01581' FROM n WHERE i <= 4;
INSERT INTO [Order Details] SELECT i, 1 + i % 6, 9.5, 2, 0 FROM n;
DROP VIEW n;
