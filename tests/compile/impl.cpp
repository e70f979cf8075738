// The implementation in C++, and a C++ user of everything that a macro could break.
#define WS_IMPLEMENTATION
#include "ws.h"
#include <string>
#include <vector>
#include "use.h"

int main()
{
    ws_config cfg = ws_config();
    std::vector<std::string> texts;

#define WS_ERROR_TEXT_(name, tell, text) texts.push_back(ws_error_string(WS_ERR_##name));
    WS_ERRORS(WS_ERROR_TEXT_)
    cfg.protocols = "chat";
    for (const std::string &text : texts)
        if (text.empty()) return 2;
    return use_pipe(ws_client_new("ws://example.com/", &cfg), ws_server_new(&cfg));
}
