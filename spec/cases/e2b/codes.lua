-- What each code of the Connect protocol becomes, as the end of a stream.
return {
  { "invalid_argument", "invalid_argument" }, { "unauthenticated", "unauthenticated" },
  { "not_found", "not_found" }, { "already_exists", "already_exists" },
  { "permission_denied", "permission_denied" }, { "resource_exhausted", "rate_limited" },
  { "failed_precondition", "invalid_argument" }, { "aborted", "unavailable" },
  { "out_of_range", "invalid_argument" }, { "unimplemented", "unsupported" },
  { "internal", "system" }, { "unknown", "system" }, { "data_loss", "system" },
  { "unavailable", "unavailable" }, { "canceled", "cancelled" },
}
