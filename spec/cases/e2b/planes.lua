-- What each status becomes, on every plane: status, kind, and where it is another one.
return {
  { 300, "protocol" }, { 302, "protocol" },
  { 304, "protocol" }, { 307, "protocol" }, { 400, "invalid_argument" },
  { 401, "unauthenticated" }, { 403, "permission_denied" },
  { 404, "not_found", { control = "sandbox_gone" } }, { 405, "protocol" },
  { 406, "invalid_argument" }, { 408, "timeout", { stream = "unavailable" } },
  { 409, "unavailable" }, { 410, "not_found", { control = "sandbox_gone" } },
  { 413, "limit_exceeded" }, { 416, "invalid_argument", { read = true } },
  { 418, "invalid_argument" }, { 422, "invalid_argument" }, { 429, "rate_limited" },
  { 499, "cancelled" }, { 500, "system" }, { 501, "unsupported" }, { 502, "unavailable" },
  { 503, "unavailable" }, { 504, "unavailable" }, { 505, "system" }, { 507, "no_space" },
  { 599, "system" },
}
