"""The answers of `capacity`, `compare` and `soak` as pages, made from their JSON documents. Nothing is judged here."""
