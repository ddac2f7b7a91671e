-- Who of the staff may do what, their open sessions, and everything they read or did.
drop table operator_probe, staff_request, staff_action, staff_session, staff_member;
drop function keep_staff_action();
