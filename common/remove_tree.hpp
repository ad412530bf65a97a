// Removes large files without being felt.
#pragma once

#include <string>

#include "common/result.hpp"

namespace switchback {

// Removes `path` and what is beneath it; follows no symbolic links; nothing there is no error.
// Large files shrink step by step first: one unlink of a large file keeps a processor, and the
// file system's journal, for 1.6 ms a megabyte (measured: 27 MB, ext4, during which each sync of
// the log waited). So nobody may have them mapped. A file that has another name is only unlinked.
// Blocks. Errors: kIo.
Status RemoveTree(const std::string& path);

}  // namespace switchback
