-- The names by which a held or refused payment's people resembled somebody, sealed; null of all others.
alter table clearance add column names_sealed text;
