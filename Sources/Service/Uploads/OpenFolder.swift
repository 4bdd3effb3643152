import Foundation

/// A folder that is open. Names below it are looked up without following links, so that nothing leads out of it.
final class OpenFolder: Sendable {
  private let descriptor: Int32
  private let path: String

  /// - Throws: `DiskFault`.
  convenience init(_ url: URL) throws(DiskFault) {
    let descriptor = unsafe Foundation.open(url.path, Self.flags)
    guard descriptor >= 0 else { throw .last(url.path) }
    self.init(descriptor, url.path)
  }

  private init(_ descriptor: Int32, _ path: String) { (self.descriptor, self.path) = (descriptor, path) }

  deinit { close(descriptor) }

  private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

  private func path(_ name: String) -> String { path + "/" + name }

  /// - Returns: nil where there is nothing of that name.
  func folder(_ name: String) throws(DiskFault) -> OpenFolder? {
    let folder = unsafe openat(descriptor, name, Self.flags)
    if folder < 0, errno == ENOENT { return nil }
    guard folder >= 0 else { throw .last(path(name)) }
    return OpenFolder(folder, path(name))
  }

  /// Makes a folder that isn't there, its name durable.
  func makeFolder(_ name: String) throws(DiskFault) -> OpenFolder {
    if let folder = try folder(name) { return folder }
    guard unsafe mkdirat(descriptor, name, 0o700) == 0 || errno == EEXIST else { throw .last(path(name)) }
    try sync()
    guard let folder = try folder(name) else { throw DiskFault(path: path(name), code: ENOENT) }
    return folder
  }

  /// - Parameter flags: Of `open`.
  /// - Returns: nil where there is nothing of that name.
  func file(_ name: String, _ flags: Int32) throws(DiskFault) -> FileHandle? {
    // A named pipe would wait for its other end.
    let file = unsafe openat(descriptor, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    if file < 0, errno == ENOENT { return nil }
    guard file >= 0 else { throw .last(path(name)) }
    return FileHandle(fileDescriptor: file, closeOnDealloc: true)
  }

  /// Whether there is a folder, or something else; nil where there is nothing.
  func isFolder(_ name: String) throws(DiskFault) -> Bool? {
    var status = stat()
    if unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return status.st_mode & S_IFMT == S_IFDIR }
    guard errno == ENOENT else { throw .last(path(name)) }
    return nil
  }

  /// Gives a file another name, durably; what has the name is replaced.
  func move(_ name: String, to folder: OpenFolder, as target: String) throws(DiskFault) {
    guard unsafe renameat(descriptor, name, folder.descriptor, target) == 0 else { throw .last(folder.path(target)) }
    try folder.sync()
    try sync()
  }

  /// Nothing happens where there is no such file.
  func removeFile(_ name: String) throws(DiskFault) {
    guard unsafe unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else { throw .last(path(name)) }
  }

  /// Nothing happens to one that isn't empty.
  func removeEmptyFolder(_ name: String) throws(DiskFault) {
    guard unsafe unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || [ENOENT, ENOTEMPTY, EEXIST].contains(errno) else {
      throw .last(path(name))
    }
  }

  /// Makes the names in the folder durable.
  func sync() throws(DiskFault) {
    guard fsync(descriptor) == 0 else { throw .last(path) }
  }
}
