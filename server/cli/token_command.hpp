// `switchback token`: makes named tokens.
#pragma once

namespace CLI {
class App;
}

namespace switchback {

void AddTokenCommand(CLI::App& app, int& exit_code);

}  // namespace switchback
