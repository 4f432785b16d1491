-- authority.lua -- an authority of the tests, and a certificate that it has signed.
local shell = require "spec.support.shell"

local authority = {}

local CERTIFICATES = [[
cd %s
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
  -subj "/CN=Authority of the tests" -days 2 -addext basicConstraints=critical,CA:TRUE
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
  -subj "/CN=%s"
printf 'subjectAltName=%s' > names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 \
  -extfile names]]

--- Whether there is what makes certificates.
function authority.is_possible()
  return shell.run("command -v openssl").status == 0
end

--- Make ca.pem, server.pem and server.key in a folder. Names: "DNS:a.example", "IP:127.0.0.1", ...
function authority.make(folder, names)
  local first = names[1]:match(":(.*)")
  local made = shell.run(CERTIFICATES:format(folder, first, table.concat(names, ",")))
  assert(made.status == 0, made.stderr)
end

return authority
