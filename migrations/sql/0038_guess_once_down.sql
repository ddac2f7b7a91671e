alter table customer drop column pin_guess;
