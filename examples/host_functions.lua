-- host_functions.lua -- code in a sandbox without a network calls functions of
-- this program: it asks a small shop about all its orders in a loop, and what
-- leaves the sandbox is three lines. A call may be refused, by a rate or by a
-- policy, and each is told.
local codecell = require "codecell"

local orders = {
  { id = 1, customer = "ann", total = 12.5 }, { id = 2, customer = "bob", total = 99 },
  { id = 3, customer = "ann", total = 7 }, { id = 4, customer = "cleo", total = 310 },
}

local shop = {
  count = function() return #orders end,
  order = function(id)
    return orders[id] or nil, ("there is no order %s"):format(tostring(id))
  end,
  refund = function(id)
    return { refunded = id }
  end,
}

local CODE = [==[
from host import shop, HostError
totals = {}
for number in range(1, shop.count() + 1):
    order = shop.order(number)
    totals[order['customer']] = totals.get(order['customer'], 0) + order['total']
for customer, total in sorted(totals.items()):
    print(customer, total)
for call in (lambda: shop.order(5), lambda: shop.refund(2)):
    try:
        call()
    except HostError as error:
        print(error)
]==]

local calls = 0
local sandbox = codecell.assert(codecell.create {
  on_event = function(event)
    calls = calls + (event.type == "call" and 1 or 0)
  end,
})
codecell.assert(sandbox:expose("shop", shop, {
  rate = { calls = 100, per = 1 },
  policy = codecell.policy.new { mode = "auto", rules = {
    { "deny", verb = "expose", name = "shop.refund", because = "only people refund" } } },
}))
local execution = codecell.assert(sandbox:run_code(CODE))
io.write(table.concat(execution.logs.stdout))
print(("%d calls"):format(calls))
sandbox:close()
