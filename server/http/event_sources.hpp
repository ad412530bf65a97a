// What a ProgressWatcher of this server looks at.
#pragma once

#include <vector>

#include "server/http/control_plane.hpp"
#include "server/progress_watcher.hpp"

namespace switchback {

// For every part that there is. The parts outlive the sources.
std::vector<ProgressSource> EventSources(const ControlPlaneParts& parts);

}  // namespace switchback
