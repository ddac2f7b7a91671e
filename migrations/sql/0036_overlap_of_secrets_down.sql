alter table hook_secret drop column overlap_ms;
