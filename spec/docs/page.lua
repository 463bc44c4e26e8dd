-- A page of the documentation as what there is to run: its fenced blocks and their marks.
--
-- A mark is a comment of its own line, `<!-- run: KIND ARGUMENTS -->`, directly above the block's
-- fence. A mark without a block is an act of its own. What each kind does is in
-- spec/docs/session.lua.

local page = {}

-- What is allowed in which language. Nothing else may stand in a fence.
local kinds <const> = {
  sh = { sh = true, background = true, file = true, elsewhere = true },
  lua = { lua = true, task = true, file = true, config = true },
  c = { c = true, file = true },
  text = { output = true, diagram = true },
}

local acts <const> = { redis = true, worker = true, install = true }

---@class docs.Step
---@field line integer      where its fence (or its mark) is
---@field kind string
---@field argument string   what stands behind the kind; ""
---@field language? string  none: an act
---@field text string       the block's lines; "" for an act

local function fail(name, line, message, ...)
  error(("%s:%d: %s"):format(name, line, message:format(...)), 0)
end

local function parse_mark(line)
  local inside = line:match("^%s*<!%-%- run: (.-) %-%->%s*$")
  if inside then return inside:match("^(%S+)%s*(.*)$") end
end

local function check_step(name, step)
  if not step.language then
    if not acts[step.kind] then
      fail(name, step.line, "the mark '%s' stands above no block", step.kind)
    end
  elseif not kinds[step.language] then
    fail(name, step.line, "a block in a language that no spec runs: '%s'", step.language)
  elseif step.kind == "" then
    fail(name, step.line, "a block without a mark would not be run")
  elseif not kinds[step.language][step.kind] then
    fail(name, step.line, "'%s' is no way to run a block of %s", step.kind, step.language)
  end
  return step
end

-- Reads the block whose fence stands at lines[i]; returns the step and the number of its last line.
local function read_block(name, lines, i, mark)
  local indent, fence, language = lines[i]:match("^(%s*)(```+)%s*(%S*)")
  local step = {
    line = i, kind = mark and mark.kind or "", argument = mark and mark.argument or "",
    language = language,
  }
  local text = {}
  for j = i + 1, #lines do
    if lines[j]:match("^%s*(```+)%s*$") == fence then
      step.text = table.concat(text, "\n") .. "\n"
      return check_step(name, step), j
    end
    local is_indented = lines[j]:sub(1, #indent):find("^%s*$")
    text[#text + 1] = is_indented and lines[j]:sub(#indent + 1) or lines[j]
  end
  fail(name, i, "a block without an end")
end

local function split(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

---The steps of a page. Raises where something in it could not be run, with its line.
---@param name string
---@param text string
---@return docs.Step[]
function page.parse(name, text)
  local lines, steps, i = split(text), {}, 1
  while i <= #lines do
    local kind, argument = parse_mark(lines[i])
    if kind then
      local mark = { kind = kind, argument = argument }
      if (lines[i + 1] or ""):find("^%s*```") then
        steps[#steps + 1], i = read_block(name, lines, i + 1, mark)
      else
        mark.line, mark.text = i, ""
        steps[#steps + 1] = check_step(name, mark)
      end
    elseif lines[i]:find("^%s*```") or lines[i]:find("^%s*~~~") then
      steps[#steps + 1], i = read_block(name, lines, i, nil)
    elseif lines[i]:find("<!--", 1, true) then
      fail(name, i, "a comment that is no mark")
    elseif lines[i]:find("^    %S") and (lines[i - 1] or "") == "" then
      fail(name, i, "an indented block: put it between fences")
    end
    i = i + 1
  end
  return steps
end

return page
