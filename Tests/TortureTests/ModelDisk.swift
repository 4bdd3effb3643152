import Foundation

/// A disk as POSIX promises it and no better: what is written, and what a power cut leaves of it.
///
/// A file's bytes are durable once the file was fsynced, a name once its folder was.
final class ModelDisk {
  /// What a power cut takes.
  enum Loss: String, Sendable, CaseIterable {
    /// All that wasn't fsynced, names and bytes.
    case everything
    /// Bytes that weren't fsynced; names are as they were, which shows a rename before its fsync.
    case bytes
    /// Any of the writes that weren't fsynced, as the disk put them in order; names are as they were.
    case pieces
  }

  private final class Node {
    let isFolder: Bool
    var bytes: [UInt8] = []
    var durableBytes: [UInt8] = []
    /// Writes since the last fsync.
    var pending: [(offset: Int, bytes: ArraySlice<UInt8>)] = []
    var entries: [String: Node] = [:]
    var durableEntries: [String: Node] = [:]

    init(isFolder: Bool) { self.isFolder = isFolder }
  }

  private final class OpenFile {
    let node: Node
    var offset = 0
    let appends: Bool

    init(_ node: Node, appends: Bool) { (self.node, self.appends) = (node, appends) }
  }

  struct Unmodelled: Error, CustomStringConvertible {
    let call: SystemCall
    var description: String { "the model of the disk doesn't know what \(call.name) at line \(call.begin) of the trace does" }
  }

  private let path: String
  private let root = Node(isFolder: true)
  private var descriptors: [Int: OpenFile] = [:]

  /// - Parameter folder: The data folder; the disk has nothing else, and it is there from the beginning.
  init(_ folder: URL) { path = folder.path }

  private func components(_ path: String) -> [String]? {
    guard path == self.path || path.hasPrefix(self.path + "/") else { return nil }
    return path.dropFirst(self.path.count).split(separator: "/").map(String.init)
  }

  private func node(_ path: String?) -> Node? {
    guard let path, let components = components(path) else { return nil }
    return components.reduce(root) { $0?.entries[$1] }
  }

  private func parent(_ path: String?) -> (folder: Node, name: String)? {
    guard let path, let components = components(path), let name = components.last,
      let folder = components.dropLast().reduce(root, { $0?.entries[$1] })
    else { return nil }
    return (folder, name)
  }

  /// Does what a call did, if it is one about this disk.
  ///
  /// - Throws: `Unmodelled`.
  func apply(_ call: SystemCall) throws {
    guard call.succeeded else { return }
    switch call.name {
    case "openat": open(call, path: call.path(1), flags: call.text(2))
    case "open": open(call, path: call.path(0), flags: call.text(1))
    case "creat": open(call, path: call.path(0), flags: "O_CREAT|O_TRUNC")
    case "close": descriptors[call.descriptor(0) ?? -1] = nil
    case "dup", "dup2", "dup3": copyDescriptor(call)
    case "fcntl": if call.text(1).contains("F_DUPFD") { copyDescriptor(call) }
    case "lseek": descriptors[call.descriptor(0) ?? -1]?.offset = call.result ?? 0
    case "write": write(call)
    case "pwrite64": file(call).map { write(call.bytes(1).prefix(call.result ?? 0), at: call.number(3) ?? 0, in: $0) }
    case "ftruncate": file(call).map { resize($0, to: call.number(1) ?? 0) }
    case "fallocate":
      // With a mode of 0 it lengthens the file; space alone is no content.
      if call.number(1) == 0, let node = file(call), let offset = call.number(2), let count = call.number(3) {
        resize(node, to: max(node.bytes.count, offset + count))
      }
    case "truncate": node(call.path(0)).map { resize($0, to: call.number(1) ?? 0) }
    case "fsync", "fdatasync": file(call).map(synchronize)
    case "rename", "renameat", "renameat2": move(call)
    case "unlink", "unlinkat", "rmdir": parent(call.paths.first).map { $0.folder.entries[$0.name] = nil }
    case "mkdir", "mkdirat": parent(call.paths.first).map { $0.folder.entries[$0.name] = Node(isFolder: true) }
    case "sendto", "sendmsg": break
    default: if call.arguments.indices.contains(where: { node(call.path($0)) != nil }) { throw Unmodelled(call: call) }
    }
  }

  private func open(_ call: SystemCall, path: String?, flags: String) {
    guard let descriptor = call.result, let path, components(path) != nil else { return }
    if node(path) == nil, flags.contains("O_CREAT"), let (folder, name) = parent(path) { folder.entries[name] = Node(isFolder: false) }
    guard let node = node(path) else { return }
    if flags.contains("O_TRUNC") { node.bytes = [] }
    descriptors[descriptor] = OpenFile(node, appends: flags.contains("O_APPEND"))
  }

  private func copyDescriptor(_ call: SystemCall) { descriptors[call.result ?? -1] = descriptors[call.descriptor(0) ?? -1] }

  private func file(_ call: SystemCall) -> Node? { descriptors[call.descriptor(0) ?? -1]?.node }

  private func write(_ call: SystemCall) {
    guard let file = descriptors[call.descriptor(0) ?? -1], let count = call.result else { return }
    if file.appends { file.offset = file.node.bytes.count }
    write(call.bytes(1).prefix(count), at: file.offset, in: file.node)
    file.offset += count
  }

  private func write(_ bytes: ArraySlice<UInt8>, at offset: Int, in node: Node) {
    if node.bytes.count < offset + bytes.count { resize(node, to: offset + bytes.count) }
    node.bytes.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    node.pending.append((offset, bytes))
  }

  private func resize(_ node: Node, to count: Int) {
    if count < node.bytes.count {
      node.bytes.removeLast(node.bytes.count - count)
    } else {
      node.bytes += [UInt8](repeating: 0, count: count - node.bytes.count)
    }
  }

  private func synchronize(_ node: Node) {
    (node.durableBytes, node.durableEntries) = (node.bytes, node.entries)
    node.pending = []
  }

  private func move(_ call: SystemCall) {
    guard let source = parent(call.paths.first), let target = parent(call.paths.last), let node = source.folder.entries[source.name]
    else { return }
    source.folder.entries[source.name] = nil
    target.folder.entries[target.name] = node
  }

  /// Writes what a power cut leaves into a new folder.
  ///
  /// - Parameter chance: Which pieces are lost.
  func leave(_ loss: Loss, in folder: URL, _ chance: inout Chance) throws {
    func copy(_ node: Node, to url: URL, _ chance: inout Chance) throws {
      guard node.isFolder else {
        let isWhole = loss != .pieces || node.pending.isEmpty
        try Data(isWhole ? node.durableBytes : Self.pieces(of: node, &chance)).write(to: url)
        return
      }
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      let entries = loss == .everything ? node.durableEntries : node.entries
      // Shared memory doesn't outlive the machine; a daemon that starts makes it anew.
      for (name, child) in entries.sorted(by: { $0.key < $1.key }) where !name.hasSuffix("-shm") {
        try copy(child, to: url.appending(component: name), &chance)
      }
    }
    try copy(root, to: folder, &chance)
  }

  private static func pieces(of node: Node, _ chance: inout Chance) -> [UInt8] {
    var bytes = node.durableBytes
    for (offset, piece) in node.pending where Bool.random(using: &chance) {
      let end = offset + piece.count
      if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.replaceSubrange(offset..<end, with: piece)
    }
    return bytes
  }

  /// What would be left, in short: the same text for the same files.
  func fingerprint(_ loss: Loss) -> Int {
    var hasher = Hasher()
    func add(_ node: Node) {
      hasher.combine(node.durableBytes)
      if loss == .pieces { hasher.combine(node.pending.count) }
      for (name, child) in (loss == .everything ? node.durableEntries : node.entries).sorted(by: { $0.key < $1.key }) {
        hasher.combine(name)
        add(child)
      }
    }
    add(root)
    return hasher.finalize()
  }
}
