-- Businesses use the API: their keys, what they asked and were answered, their payments by time.
drop index journal_client;
drop table client_quote, client_request, api_key, client;
