-- A binary heap of tables, least first by `key`, then `order`. For moil.testing alone.

local heap = {}
heap.__index = heap

---@return table
function heap.new()
  return setmetatable({ n = 0 }, heap)
end

local function before(a, b)
  if a.key ~= b.key then return a.key < b.key end
  return a.order < b.order
end

---@param entry table       with key and order
function heap:push(entry)
  local at = self.n + 1
  self.n = at
  while at > 1 do
    local up = at // 2
    if not before(entry, self[up]) then break end
    self[at], at = self[up], up
  end
  self[at] = entry
end

---The least one, which stays.
---@return table?
function heap:peek()
  return self[1]
end

---Takes the least one.
---@return table?
function heap:pop()
  local top, last, n = self[1], self[self.n], self.n - 1
  if not top then return nil end
  self[n + 1], self.n = nil, n
  if n == 0 then return top end
  local at = 1
  while true do
    local down = 2 * at
    if down > n then break end
    if down < n and before(self[down + 1], self[down]) then down = down + 1 end
    if not before(self[down], last) then break end
    self[at], at = self[down], down
  end
  self[at] = last
  return top
end

return heap
