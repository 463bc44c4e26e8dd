-- What a terminal shows: enough of one to read what `moil top` draws. Takes the bytes that a
-- program wrote, and knows the few sequences that it uses; any other is an error.

local screen = {}
screen.__index = screen

---@param rows integer
---@param columns integer
function screen.new(rows, columns)
  local self = setmetatable({ rows = rows, columns = columns, at = 1, hidden = false,
    alternate = false, bytes = 0 }, screen)
  self:clear()
  return self
end

function screen:clear()
  self.lines, self.row, self.column = {}, 1, 1
  for i = 1, self.rows do self.lines[i] = {} end
end

local function is_wide(code)
  return code >= 0x1100 and code <= 0x115f or code >= 0x2e80 and code <= 0xa4cf
    or code >= 0xac00 and code <= 0xd7a3 or code >= 0xff00 and code <= 0xff60
    or code >= 0x1f300 and code <= 0x1faff
end

function screen:put(char)
  local code = utf8.codepoint(char)
  local width = is_wide(code) and 2 or 1
  local line = self.lines[self.row] or error("there is no row " .. self.row)
  if code >= 0x300 and code <= 0x36f then -- combines with what stands before it
    line[self.column - 1] = (line[self.column - 1] or "") .. char
    return
  end
  if self.column + width - 1 > self.columns then
    error("a line is too long: " .. self:line(self.row))
  end
  line[self.column] = char
  if width == 2 then line[self.column + 1] = "" end
  self.column = self.column + width
end

local function erase(line, from)
  for i in pairs(line) do if i >= from then line[i] = nil end end
end

local controls = {
  H = function(self, a, b) self.row, self.column = tonumber(a) or 1, tonumber(b) or 1 end,
  K = function(self) erase(self.lines[self.row] or {}, self.column) end,
  J = function(self)
    erase(self.lines[self.row] or {}, self.column)
    for i = self.row + 1, self.rows do self.lines[i] = {} end
  end,
  m = function() end,
}

local modes = {
  ["?25h"] = function(self) self.hidden = false end,
  ["?25l"] = function(self) self.hidden = true end,
  ["?1049h"] = function(self) self.alternate = true self:clear() end,
  ["?1049l"] = function(self) self.alternate = false self:clear() end,
  ["?7h"] = function() end,
  ["?7l"] = function() end,
}

-- Takes what is new of all that the program wrote so far.
---@param text string
function screen:feed(text)
  while self.at <= #text do
    local args, letter, behind = text:match("^\27%[([%d;?]*)(%a)()", self.at)
    local byte = text:byte(self.at)
    if letter == "h" or letter == "l" then
      local mode = modes[args .. letter] or error("unknown mode " .. args .. letter)
      mode(self)
    elseif letter then
      local control = controls[letter] or error("unknown sequence " .. args .. letter)
      local a, b = args:match("^(%d*);?(%d*)")
      control(self, a, b)
    elseif byte == 27 then
      if #text - self.at < 12 then return self end -- the rest is still to come
      error("unknown escape: " .. text:sub(self.at + 1, self.at + 10))
    elseif byte == 13 then
      self.column, behind = 1, self.at + 1
    elseif byte == 10 then
      self.row, self.column, behind = math.min(self.row + 1, self.rows), 1, self.at + 1
    elseif byte < 32 then
      behind = self.at + 1
    else
      local char = text:match("^[%z\1-\127\194-\244][\128-\191]*", self.at) or "?"
      if #char < (byte >= 240 and 4 or byte >= 224 and 3 or byte >= 192 and 2 or 1) then
        return self
      end
      self:put(char)
      behind = self.at + #char
    end
    self.at = behind
  end
  return self
end

function screen:line(row)
  local line, parts, last = self.lines[row] or {}, {}, 0
  for i in pairs(line) do last = math.max(last, i) end
  for i = 1, last do parts[i] = line[i] or " " end
  return (table.concat(parts):gsub(" +$", ""))
end

-- All that is shown.
function screen:text()
  local list = {}
  for i = 1, self.rows do list[i] = self:line(i) end
  return table.concat(list, "\n")
end

return screen
