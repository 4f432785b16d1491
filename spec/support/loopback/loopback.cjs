// Names below localhost are this machine's, as the standard has it, where the C library asks a name
// server for them: node --require loopback.cjs
const dns = require('node:dns')

const lookup = dns.lookup

dns.lookup = (name, ...rest) => lookup(/\.localhost$/.test(name) ? 'localhost' : name, ...rest)
