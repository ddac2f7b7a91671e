-- Blocks over `staff_action`: a mark of every row, and a hash over all blocks before.

create table staff_action_block (
  tenant    int not null,
  number    int not null,                    -- 1, 2, 3, ...: none is missing
  first     uuid not null,                   -- its rows, by id: after the last block's last
  last      uuid not null,
  marks     bytea not null,                  -- eight bytes for each row, in the order of their ids
  hash      bytea not null,
  sealed_ms bigint not null,
  primary key (tenant, number),
  constraint block_has_marks check (length(marks) > 0 and length(marks) % 8 = 0)
);
