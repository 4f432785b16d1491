--- What a loop has used, and whether that is too much.
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local unicode = require "codecell.agent.unicode"

local usage = {}

---@class codecell.LoopBudget
---@field seconds number? of the whole loop, models included
---@field chars integer? characters that the model has written and was told, after the first message
---@field tokens integer? as `usage` of the answers says, or `count`
---@field cost number? as `usage.cost` of the answers says

---@class codecell.LoopUsage
---@field steps integer answers of the model
---@field executions integer
---@field seconds number
---@field chars integer
---@field tokens number? nil: nobody has said
---@field cost number?
local Usage = {}
Usage.__index = Usage

--- Nothing yet.
---@return codecell.LoopUsage
function usage.new()
  return setmetatable({ steps = 0, executions = 0, seconds = 0, chars = 0 }, Usage), reactor.now()
end

--- Count a text.
---@param text string
function Usage:add_text(text)
  self.chars = self.chars + unicode.length(unicode.repair(text))
end

--- Count an answer.
---@param answer codecell.LoopAnswer
---@param count (fun(text: string): number)?
---@param budget codecell.LoopBudget
---@return true? counted
---@return codecell.Error? err kind "invalid_argument": the budget cannot be kept
function Usage:add_answer(answer, count, budget)
  self:add_text(answer.text)
  local tokens = answer.tokens or count and count(answer.text)
  self.tokens = tokens and (self.tokens or 0) + tokens or self.tokens
  self.cost = answer.cost and (self.cost or 0) + answer.cost or self.cost
  if budget.tokens and not tokens then
    return nil, errors.new("invalid_argument", "agent.loop: budget.tokens: the answer does not say "
      .. "how many it took; let `ask` return a message with `usage`, or give `count`")
  elseif budget.cost and not answer.cost then
    return nil, errors.new("invalid_argument", "agent.loop: budget.cost: the answer does not say "
      .. "what it cost; let `ask` return a message with usage = { cost = ... }")
  end
  return true
end

local COUNTED = { "seconds", "chars", "tokens", "cost" }

--- What of the budget is used up.
---@param budget codecell.LoopBudget
---@param began number
---@return string? name nil: nothing
function Usage:exhausted(budget, began)
  self.seconds = reactor.now() - began
  for _, name in ipairs(COUNTED) do
    if budget[name] and (self[name] or 0) >= budget[name] then
      return name
    end
  end
end

return usage
