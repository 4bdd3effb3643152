import Foundation

/// A folder of a repository as the Hub lists it.
struct HubTree {
  struct Entry: Encodable {
    let type: String
    let path: String
    let size: Int
    let oid: String
    let lfs: LFS?
  }

  struct LFS: Encodable {
    let oid: String
    let size: Int
    let pointerSize: Int
  }

  /// All below the folder, in order of their paths.
  private let blobs: [HubBlob]
  /// Of the folder; empty, or with a slash at its end.
  private let prefix: String

  /// - Parameters:
  ///   - blobs: Of all files below the folder.
  ///   - prefix: Of the folder; empty, or with a slash at its end.
  init(_ blobs: [HubBlob], prefix: String) {
    (self.blobs, self.prefix) = (blobs, prefix)
  }

  /// Folders are entries as well.
  func entries(recursive: Bool) -> [Entry] {
    children().flatMap { child -> [Entry] in
      guard let blob = child.blob else {
        let tree = HubTree(child.blobs, prefix: prefix + child.name + "/")
        let entry = Entry(type: "directory", path: prefix + child.name, size: 0, oid: tree.oid, lfs: nil)
        return [entry] + (recursive ? tree.entries(recursive: true) : [])
      }
      let lfs = blob.pointer.map { LFS(oid: $0.sha256, size: $0.size, pointerSize: $0.data.count) }
      return [Entry(type: "file", path: blob.file.path, size: blob.file.size, oid: blob.oid, lfs: lfs)]
    }
  }

  /// As git names the folder.
  var oid: String {
    GitObject.oid(
      ofTree: children().map { child in
        let oid = child.blob?.oid ?? HubTree(child.blobs, prefix: prefix + child.name + "/").oid
        return GitObject.Entry(name: child.name, isFolder: child.blob == nil, oid: oid)
      })
  }

  private struct Child {
    let name: String
    /// nil for a folder.
    let blob: HubBlob?
    var blobs: [HubBlob]
  }

  private func children() -> [Child] {
    var children: [Child] = []
    for blob in blobs {
      let rest = blob.file.path.utf8.dropFirst(prefix.utf8.count)
      let name = String(decoding: rest.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
      let isFile = name.utf8.count == rest.count
      if !isFile, let last = children.last, last.blob == nil, last.name == name {
        children[children.count - 1].blobs.append(blob)
      } else {
        children.append(Child(name: name, blob: isFile ? blob : nil, blobs: [blob]))
      }
    }
    return children
  }
}
