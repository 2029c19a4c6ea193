-- What a chapter's Markdown means in the book. Blocks come with path="...", made from the rest of their info
-- string by build.sh; FORMAT is html.

local function escape(s)
    return (s:gsub('&', '&amp;'):gsub('<', '&lt;'):gsub('>', '&gt;'))
end

local function span(class, text)
    return '<span class="' .. class .. '">' .. escape(text) .. '</span>'
end

-- As tests/tutorial/transcript.c reads it: does the command go on in the next line?
local function goes_on(command, line)
    local _, quotes = command:gsub("'", '')
    if command:match('\\$') then return true end
    return (quotes % 2 == 1 or command:find('<<', 1, true)) and line:sub(1, 2) == '> '
end

local function console(text)
    local out, command = {}, nil
    for line in (text .. '\n'):gmatch('(.-)\n') do
        local prompt, rest = line:match('^([#$]) (.*)$')
        if command and goes_on(command, line) then
            command = command .. '\n' .. line
            local more = line:match('^> (.*)$')
            out[#out + 1] = (more and span('prompt', '> ') or '') .. span('command', more or line)
        elseif prompt then
            command = rest
            out[#out + 1] = span('prompt ' .. (prompt == '#' and 'root' or 'user'), prompt .. ' ') .. span('command', rest)
        else
            command = nil
            out[#out + 1] = span('output', line)
        end
    end
    return '<pre class="console" tabindex="0"><code>' .. table.concat(out, '\n') .. '</code></pre>'
end

function CodeBlock(block)
    local language, path = block.classes[1], block.attributes.path
    if language == 'console' then
        return pandoc.RawBlock('html', console(block.text))
    end
    block.attributes.path = nil
    block.attributes.tabindex = '0'
    if language == 'make' then block.classes[1] = 'makefile' end
    if language == 'sh' then block.classes[1] = 'bash' end
    if not path or path == 'free' then return block end
    if language == 'diff' then path = path:gsub(' ', ' → ') end
    local caption = pandoc.RawBlock('html', '<div class="path">' .. escape((path:gsub('#', ': '))) .. '</div>')
    return pandoc.Div({ caption, block }, pandoc.Attr('', { 'listing' }))
end

-- Chapters and answers are pages; what else the text points to is in the tree and not in the book.
function Link(link)
    local path, fragment = link.target:match('^([^#]*)(#?.*)$')
    if path == '' or path:match('^%a+:') then return link end
    if path:match('%.md$') and not path:match('^%.%./%.%./%.%./') and not path:match('README') then
        link.target = path:gsub('%.md$', '.html') .. fragment
        return link
    end
    if path:match('%.patch$') then return link end
    return link.content
end

local function drawing(image)
    local directory = PANDOC_STATE.input_files[1] and os.getenv('CHAPTER_DIR') or '.'
    local file = assert(io.open(directory .. '/' .. image.src), 'no drawing ' .. image.src)
    local svg = file:read('a')
    file:close()
    return svg
end

function Para(para)
    local image = para.content[1]
    if #para.content ~= 1 or image.t ~= 'Image' or not image.src:match('%.svg$') then return nil end
    local caption = image.title ~= '' and '<figcaption>' .. escape(image.title) .. '</figcaption>' or ''
    return pandoc.RawBlock('html', '<figure>' .. drawing(image) .. caption .. '</figure>')
end

-- The blockquote under the title is the chapter's goal.
function Pandoc(doc)
    local first, second = doc.blocks[1], doc.blocks[2]
    if first and first.t == 'Header' and second and second.t == 'BlockQuote' then
        doc.blocks[2] = pandoc.Div(second.content, pandoc.Attr('', { 'goal' }))
    end
    return doc
end
