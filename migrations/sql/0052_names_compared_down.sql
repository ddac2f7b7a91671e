alter table clearance drop column names_sealed;
