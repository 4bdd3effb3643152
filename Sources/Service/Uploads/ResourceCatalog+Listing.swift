import Checkpoint
import Foundation
import JobModel
import JobStore

/// What the folders hold, for lists. All methods look into folders.
extension ResourceCatalog {
  /// Names that a job can have and that a client could upload under.
  func names(_ kind: UploadTarget.Kind) -> Set<String> {
    Self.names(kind == .model ? .model : .dataset, in: roots(kind)).filter(ResourceName.isForUploads)
  }

  /// Whether there is anything of the name, be it usable or not.
  func has(_ name: String, _ kind: UploadTarget.Kind) -> Bool { place(of: name, kind) != nil }

  /// The files of a model that a job reads; nil where there is no such model.
  func files(ofModel name: String) -> [StoredFile]? {
    guard let folder = place(of: name, .model), let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
      return nil
    }
    return names.filter { !$0.hasPrefix(".") }.sorted().compactMap { file in
      let url = folder.appending(component: file)
      var isFolder: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue else { return nil }
      return StoredFile(path: file, size: FileIdentity(of: url)?.size, sha256: nil, uploadedAt: nil, upload: nil)
    }
  }

  /// Bytes of a dataset; nil where there is none.
  func size(ofDataset name: String) -> Int? { place(of: name, .dataset).flatMap { FileIdentity(of: $0)?.size } }

  private func place(of name: String, _ kind: UploadTarget.Kind) -> URL? {
    roots(kind).lazy.map { root in (root, root.appending(component: kind == .model ? name : name + ".jsonl")) }
      .first { root, url in (try? FileManager.default.attributesOfItem(atPath: url.path)) != nil && Self.isInside(url, root) }?.1
  }

  private func roots(_ kind: UploadTarget.Kind) -> [URL] { kind == .model ? modelRoots : datasetRoots }
}
