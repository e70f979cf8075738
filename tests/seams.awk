# The annexes of ws.h, the sections behind ">>loop", and the way to them: no private name that an
# annex defines stands in the implementation before its section, but for those in ">>seams".
#   awk -f seams.awk HEADER HEADER    prints "LINE: NAME of >>SECTION"; the file is read twice.
function words(text) {      # the code of a line, comments and strings gone
    gsub(/"([^"\\]|\\.)*"/, "", text)
    if (comment) {
        if (!match(text, /\*\//)) return ""
        text = substr(text, RSTART + 2)
        comment = 0
    }
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", text)
    if (match(text, /\/\*/)) {
        text = substr(text, 1, RSTART - 1)
        comment = 1
    }
    return text
}

function defines(name) { if (name != "" && !(name in room)) room[name] = section }

FNR == 1 { section = ""; annex = 0; listed = 0; comment = 0 }
/^\/\* ==== >>/ {
    section = $3
    if (section == ">>history") annex = 0
    else if (last == ">>loop") annex = 1
    last = section
    next
}
/^#ifdef WS_IMPLEMENTATION/ { section = ">>impl" }

FNR == NR && annex {        # what it defines stands at the left edge, or in a list of constants
    text = words($0)
    if (text ~ /^#define WS__/) { split(text, part, /[ (]/); defines(part[2]) }
    else if (text ~ /^(static|WS__PRIVATE|WS__APART|typedef|struct|enum|})/) {
        while (match(text, /(ws|WS)__[A-Za-z0-9_]+ *[({;\[]/)) {
            name = substr(text, RSTART, RLENGTH)
            sub(/ *[({;\[]$/, "", name)
            defines(name)
            text = substr(text, RSTART + RLENGTH)
            if (text !~ /^ *(ws|WS)__/) break
        }
    }
    if (text ~ /^enum/) listed = 1
    if (listed && text ~ /^    WS__/) { match(text, /WS__[A-Z0-9_]+/); defines(substr(text, RSTART, RLENGTH)) }
    if (text ~ /^}/ || text ~ /};?$/) listed = 0
    next
}
FNR == NR && section == ">>seams" {
    text = words($0)
    while (match(text, /(ws|WS)__[A-Za-z0-9_]+/)) {
        seam[substr(text, RSTART, RLENGTH)]
        text = substr(text, RSTART + RLENGTH)
    }
    next
}
FNR == NR { next }

section ~ /^>>/ && section != ">>seams" {
    text = words($0)
    here = annex ? place[section] : 0
    if (annex && !here) here = place[section] = ++places
    while (match(text, /(ws|WS)__[A-Za-z0-9_]+/)) {
        name = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (name in room && !(name in seam) && room[name] != section && !(room[name] in place))
            print FNR ": " name " of " room[name]
    }
}
END { for (name in room) n++; if (n < 200) print "0: only " n + 0 " names of annexes found" }
