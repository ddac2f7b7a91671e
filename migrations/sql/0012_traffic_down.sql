-- What operators sent us and what we asked of them.
drop table traffic;
