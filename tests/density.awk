# How dense each section of a header's implementation is to read:
#   awk -f density.awk HEADER prints "SECTION CODE_LINES BRANCHES ONE_LETTER_PERCENT ONE_LINE_IFS",
# branches per 100 lines of code (if for while case && || ?), names of one letter per 100 names,
# ifs with their statement on the same line. Comments, strings and # lines do not count.
#   awk -v functions=N ... prints "NAME PATHS" of each function with more than N branches plus one
# (its cyclomatic complexity) instead.
BEGIN {
    split("auto break case char const continue default do double else enum extern float for " \
          "goto if inline int long register return short signed sizeof static struct switch " \
          "typedef union unsigned void volatile while size_t ptrdiff_t ssize_t uint8_t " \
          "uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t uintptr_t intptr_t NULL",
          words, " ")
    for (i in words) keyword[words[i]] = 1
}

function tell() {
    if (lines && !functions)
        printf "%s %d %.1f %.1f %d\n", section, lines, 100 * branches / lines,
            names ? 100 * letters / names : 0, ifs
    lines = branches = names = letters = ifs = 0
}

/^#ifdef WS_(SSE_)?IMPLEMENTATION/ { on = 1; section = ">>impl" }
!on { next }
/^\/\* ==== >>/ { tell(); section = $3 }

{
    text = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
    gsub(/'([^'\\]|\\.)*'/, "0", text)
    if (comment) {
        if (!match(text, /\*\//)) next
        text = substr(text, RSTART + 2)
        comment = 0
    }
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", text)
    if (match(text, /\/\*/)) {
        text = substr(text, 1, RSTART - 1)
        comment = 1
    }
    if (text ~ /^[ \t]*(#|$)/) next
    lines++
    if (text ~ /^[A-Za-z].*\(/ && text !~ /;$/) {
        name = text
        sub(/ *\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        current = name
        paths = 1
    }
    before = branches
    if (text ~ /^ *(\} )?(else )?if \(.*\) .*; *$/) ifs++
    branches += gsub(/&&|\|\||\?/, " ", text)
    while (match(text, /[A-Za-z_][A-Za-z_0-9]*/)) {
        name = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (name == "if" || name == "for" || name == "while" || name == "case") branches++
        if (name in keyword) continue
        names++
        if (length(name) == 1) letters++
    }
    paths += branches - before
    if ($0 ~ /^}/ && functions && paths > functions) print current, paths
}

END { tell() }
