import Checkpoint
import Foundation

/// Makes a folder hold the files of another one, and of the folders in it, without copying where the file system has hard links.
package enum FolderMirror {
  /// Files that are being written (`.tmp`) are left out; each file is there in full or not at all.
  package static func mirror(_ source: URL, at target: URL) throws {
    try DurableFile.makeFolder(target, permissions: 0o700)
    let names = try FileManager.default.contentsOfDirectory(atPath: source.path).filter { !$0.hasSuffix(".tmp") }
    for name in names {
      let (entry, copy) = (source.appending(component: name), target.appending(component: name))
      try isFolder(entry) ? mirror(entry, at: copy) : put(entry, at: copy)
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: target.path) where !names.contains(name) {
      try? FileManager.default.removeItem(at: target.appending(component: name))
    }
    try DurableFile.syncFolder(target)
  }

  private static func isFolder(_ url: URL) -> Bool {
    (try? url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true
  }

  private static func put(_ file: URL, at target: URL) throws {
    if let one = FileIdentity(of: file), let other = FileIdentity(of: target), one.inode == other.inode { return }
    let temporary = target.appendingPathExtension("tmp")
    _ = unsafe unlink(temporary.path)
    if unsafe link(file.path, temporary.path) != 0 {
      // Whoever made it may have removed it meanwhile: what replaced it is there too.
      guard errno != ENOENT else { return }
      try FileManager.default.copyItem(at: file, to: temporary)
      let copy = try FileHandle(forWritingTo: temporary)
      try copy.synchronize()
      try copy.close()
    }
    try DurableFile.move(temporary, to: target)
  }
}
