-- path, operation, user, token, expiry, signature: of E2B's documented vectors.
return {
  { "hello.txt", "read", "user", "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0", nil,
    "v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E" },
  { "a b", "read", nil, "tok", nil, "v1_Oz+NC9txmqgV631+rffDPGNgz/wYxTPTaq97vKd/sss" },
  { "a b", "read", "root", "tok", 1795210327,
    "v1_UTbn6DRkH6bVOQJ5++mfvB5EUbXl8TQ6XYIB6jb+M5I" },
  { "", "write", nil, "tok", nil, "v1_XfYYOx0ojDc6kqfLnaJuiYLWXCK2SaWCthv8+gv5kbo" },
}
