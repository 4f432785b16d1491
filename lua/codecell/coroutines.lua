--- The coroutine functions of Lua itself. OpenResty puts others in their place, whose coroutines
--- belong to the request that made them; it keeps these under other names.
local found = package.loaded.coroutine

return {
  create = found._create or found.create,
  resume = found._resume or found.resume,
  status = found._status or found.status,
  yield = found._yield or found.yield,
}
