import Checkpoint
import Foundation
import JobModel

/// The files of a model that clients may read: none that is hidden, and none outside the roots, whatever links say.
struct ModelFolder: Sendable {
  struct File: Sendable {
    /// Relative to the folder, with slashes.
    let path: String
    let identity: FileIdentity
  }

  let url: URL
  /// Folders that may be shared; their own paths without links.
  private let roots: [String]

  private static let depthLimit = 8
  private static let countLimit = 10_000

  init(_ url: URL, roots: [URL]) {
    self.url = url
    self.roots = roots.map { $0.resolvingSymlinksInPath().path + "/" }
  }

  /// Sorted by path.
  ///
  /// - Throws: `Problem` where there are too many.
  func files() throws -> [File] {
    var files: [File] = []
    try collect(in: "", depth: 1, &files)
    return files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private func collect(in folder: String, depth: Int, _ files: inout [File]) throws {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: url.appending(path: folder).path)) ?? []
    for entry in entries where !entry.hasPrefix(".") {
      let path = folder + entry
      if isFolder(path) {
        if depth < Self.depthLimit { try collect(in: path + "/", depth: depth + 1, &files) }
      } else if let handle = try open(path), let identity = FileIdentity(descriptor: handle.fileDescriptor) {
        guard files.count < Self.countLimit else {
          throw Problem(
            .invalidModel, status: 422, title: "The model has too many files", detail: "more than \(Self.countLimit) can't be listed")
        }
        files.append(File(path: path, identity: identity))
      }
    }
  }

  /// Links to folders count as none: they could lead in a circle.
  private func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(url.appending(path: path).path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Follows links as long as they stay within the roots.
  ///
  /// - Parameter path: As `files()` has it.
  /// - Returns: nil where there is no regular file that may be read.
  /// - Throws: `POSIXError` where the process has no descriptor left.
  func open(_ path: String) throws -> FileHandle? {
    // A named pipe would wait for a writer.
    let descriptor = unsafe Foundation.open(url.appending(path: path).path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == EMFILE || errno == ENFILE { throw POSIXError(errno == EMFILE ? .EMFILE : .ENFILE) }
      return nil
    }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    guard FileIdentity(descriptor: descriptor) != nil, let path = Self.path(of: descriptor), roots.contains(where: path.hasPrefix) else {
      return nil
    }
    return handle
  }

  /// Where an open file really is: of what was opened, so that no link can be exchanged in between.
  private static func path(of descriptor: Int32) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
  }
}
