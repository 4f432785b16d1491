-- What each documented answer of the control plane becomes: status, headers, body, kind, tries.
-- Tries: how many requests there are in all, where the same answer comes again and again.
local function body(code, message)
  return ('{"code":%d,"message":"%s"}'):format(code, message)
end

return {
  { 400, {}, body(400, "timeout is too large"), "invalid_argument", 1 },
  { 401, {}, body(401, "invalid key"), "unauthenticated", 1 },
  { 403, {}, body(403, "not yours"), "permission_denied", 1 },
  { 404, {}, body(404, "template not found"), "not_found", 1 },
  { 409, {}, body(409, "in transition"), "unavailable", 1 },
  { 429, { ["Retry-After"] = "3600" }, body(429, "Rate limit exceeded"), "rate_limited", 1 },
  { 500, {}, body(500, "it broke"), "system", 1 },
  { 502, {}, "<html>bad gateway</html>", "unavailable", 1 },
  { 503, {}, body(503, "no capacity"), "unavailable", 3 },
  { 504, {}, "", "unavailable", 1 },
  { 507, {}, body(507, "no space left"), "no_space", 1 },
  { 418, {}, "tea", "invalid_argument", 1 },
  { 599, {}, "", "system", 1 },
  { 302, { Location = "http://127.0.0.1:1/" }, "", "protocol", 1 },
}
