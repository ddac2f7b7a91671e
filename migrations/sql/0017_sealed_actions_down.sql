drop table staff_action_block;
