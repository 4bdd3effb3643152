import Checkpoint
import Foundation
import JobModel
import JobStore

/// The data folder's part with what clients uploaded: `models/<name>/<path>`, `datasets/<name>.jsonl`, and `unfinished/<upload>`.
/// All methods block.
struct UploadFolder: Sendable {
  let url: URL

  /// - Parameter folder: The data folder.
  init(in folder: URL) { url = folder.appending(component: "uploads") }

  /// Folders in which a job finds models and datasets.
  var models: URL { url.appending(component: "models") }
  var datasets: URL { url.appending(component: "datasets") }

  private var unfinished: URL { url.appending(component: "unfinished") }

  /// All folders that the daemon makes.
  var folders: [URL] { [models, datasets, unfinished] }

  /// Bytes that are free on the disk; nil where the system doesn't tell.
  var freeBytes: Int? { FileManager.freeBytes(in: url) }

  // MARK: Unfinished

  /// - Throws: `DiskFault`.
  func makeUnfinished(_ id: String) throws -> FileHandle {
    let folder = try OpenFolder(unfinished)
    guard let file = try folder.file(id, O_RDWR | O_CREAT | O_EXCL) else { throw DiskFault(path: id, code: ENOENT) }
    try folder.sync()
    return file
  }

  /// - Returns: nil where there is none.
  func openUnfinished(_ id: String) throws -> FileHandle? { try OpenFolder(unfinished).file(id, O_RDWR) }

  /// Bytes that came; nil where there is no file.
  func size(ofUnfinished id: String) -> Int? { FileIdentity(of: unfinished.appending(component: id))?.size }

  func cutUnfinished(_ id: String, to size: Int) throws {
    guard let file = try openUnfinished(id) else { return }
    guard ftruncate(file.fileDescriptor, off_t(size)) == 0 else { throw DiskFault.last(id) }
  }

  func removeUnfinished(_ id: String) throws { try OpenFolder(unfinished).removeFile(id) }

  /// Names of all unfinished files.
  func allUnfinished() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: unfinished.path)) ?? [] }

  // MARK: Whole

  /// - Throws: `DiskFault` where an upload couldn't get its name, since a file has that of a folder or the other way round.
  func requirePlace(for target: UploadTarget) throws {
    var folder = try OpenFolder(target.kind == .model ? models : datasets)
    let names = target.names
    for name in names.dropLast() {
      guard let next = try folder.folder(name) else { return }
      folder = next
    }
    if try folder.isFolder(names[names.count - 1]) == true { throw DiskFault(path: target.description, code: EISDIR) }
  }

  /// Gives a whole file its name. What had the name before is replaced at once.
  func publish(_ upload: Upload) throws {
    let target = upload.target
    var folder = try OpenFolder(target.kind == .model ? models : datasets)
    let names = target.names
    for name in names.dropLast() { folder = try folder.makeFolder(name) }
    try OpenFolder(unfinished).move(upload.id, to: folder, as: names[names.count - 1])
  }

  /// Bytes of a file; nil where there is none.
  func size(of target: UploadTarget) throws -> Int? {
    guard let file = try open(target) else { return nil }
    return FileIdentity(descriptor: file.fileDescriptor)?.size
  }

  /// Opens a file to read it; nil where there is none.
  func open(_ target: UploadTarget) throws -> FileHandle? {
    var folder = try OpenFolder(target.kind == .model ? models : datasets)
    let names = target.names
    for name in names.dropLast() {
      guard let next = try folder.folder(name) else { return nil }
      folder = next
    }
    return try folder.file(names[names.count - 1], O_RDONLY)
  }

  /// Removes a file with the folders that become empty, or a whole model; nothing happens where it isn't there.
  func remove(_ target: UploadTarget) throws {
    guard target.kind == .model, target.path.isEmpty else {
      do {
        return try removeFile(target)
      } catch let fault as DiskFault where [ENOTDIR, ELOOP].contains(fault.code) {
        // Somebody put something else in the place of a folder of the path.
        return
      }
    }
    let folder = models.appending(component: target.name)
    do {
      try FileManager.default.removeItem(at: folder)
    } catch  where !FileManager.default.fileExists(atPath: folder.path) {}
    try OpenFolder(models).sync()
  }

  private func removeFile(_ target: UploadTarget) throws {
    var folders = [try OpenFolder(target.kind == .model ? models : datasets)]
    let names = target.names
    for name in names.dropLast() {
      guard let next = try folders[folders.count - 1].folder(name) else { return }
      folders.append(next)
    }
    try folders[folders.count - 1].removeFile(names[names.count - 1])
    for (folder, name) in zip(folders, names.dropLast()).reversed() { try folder.removeEmptyFolder(name) }
    for folder in folders { try folder.sync() }
  }

  /// What is there that the database doesn't know, as paths below the data folder.
  ///
  /// - Parameter known: Names of what was uploaded.
  func strangers(models known: Set<String>, datasets: Set<String>) -> [String] {
    func names(_ folder: URL, _ known: Set<String>, ending: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { !($0.hasSuffix(ending) && known.contains(String($0.dropLast(ending.count)))) }.sorted()
        .map { "uploads/\(folder.lastPathComponent)/\($0)" }
    }
    return names(models, known, ending: "") + names(self.datasets, datasets, ending: ".jsonl")
  }
}

extension UploadTarget {
  /// Below the folder of all models, or of all datasets.
  fileprivate var names: [String] {
    switch kind {
    case .model: [name] + path.split(separator: "/").map { String($0) }
    case .dataset: [name + ".jsonl"]
    }
  }
}
