import Foundation
import JobModel

/// The files of a model's folder, as they are uploaded: hidden ones stay, links are followed.
package enum ModelFiles {
  /// - Returns: Paths and files, in order of the paths.
  /// - Throws: `ClientError.file` for a folder that can't be read, has no files, or has one whose name the server doesn't take.
  package static func list(_ folder: URL) throws(ClientError) -> [(path: ModelFilePath, file: URL)] {
    var files: [(path: ModelFilePath, file: URL)] = []
    try collect(folder, [], into: &files)
    guard !files.isEmpty else { throw .file(path: folder.path, reason: "there are no files in it") }
    return files
  }

  private static func collect(_ folder: URL, _ names: [String], into files: inout [(path: ModelFilePath, file: URL)]) throws(ClientError) {
    let entries: [String]
    do {
      entries = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }.sorted()
    } catch {
      throw .file(path: folder.path, reason: error.localizedDescription)
    }
    for name in entries {
      let url = folder.appending(component: name)
      var isFolder: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        throw .file(path: url.path, reason: "it is a link to nothing")
      }
      let path: ModelFilePath
      do {
        path = try ModelFilePath(segments: names + [name])
      } catch {
        throw .file(path: url.path, reason: "the server doesn't take it: \(error.detail)")
      }
      if isFolder.boolValue { try collect(url, path.segments, into: &files) } else { files.append((path, url)) }
    }
  }
}
