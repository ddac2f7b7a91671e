-- Refuses to forget whose money it is: what is reserved is given back first.
do $$
begin
  if exists (select from liquidity_reservation where ended_ms is null) then
    raise exception 'liquidity is reserved; it must be released before this step is undone';
  end if;
end $$;
drop table liquidity_reservation;
