import Foundation
import JobModel

/// Finds models and datasets by name below the configured roots, and never outside them.
public struct ResourceCatalog: Sendable {
  private let modelRoots: [URL]
  private let datasetRoots: [URL]

  public init(modelRoots: [URL], datasetRoots: [URL]) {
    self.modelRoots = modelRoots
    self.datasetRoots = datasetRoots
  }

  /// - Throws: `Problem` that names the field whose name can't be found or leaves its root.
  public func files(of request: JobRequest) throws(Problem) -> JobFiles {
    JobFiles(
      model: try find(request.model, ending: "", isFolder: true, in: modelRoots, code: .invalidModel, pointer: "/model"),
      calibration: try dataset(request.calibration?.dataset, at: "/calibration/dataset"),
      evaluation: try dataset(request.evaluation?.dataset, at: "/evaluation/dataset"))
  }

  private func dataset(_ name: String?, at pointer: String) throws(Problem) -> URL? {
    guard let name else { return nil }
    return try find(name, ending: ".jsonl", isFolder: false, in: datasetRoots, code: .invalidDataset, pointer: pointer)
  }

  private func find(
    _ name: String, ending: String, isFolder: Bool, in roots: [URL], code: Problem.Code, pointer: String
  ) throws(Problem) -> URL {
    func problem(_ detail: String) -> Problem {
      Problem(
        code, status: 422, title: "The job names something that can't be used", detail: detail,
        errors: [.init(pointer: pointer, detail: detail)])
    }
    let kind = isFolder ? "model" : "dataset"
    // Requests are checked when they are read; a stored one is from an older version at worst.
    guard ResourceName.isValid(name) else { throw problem("\"\(name.prefix(120))\" is not a name of a \(kind)") }
    for root in roots {
      let candidate = root.appending(component: name + ending)
      var isDirectory: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isDirectory) else { continue }
      let resolved = candidate.resolvingSymlinksInPath().path
      guard resolved.hasPrefix(root.resolvingSymlinksInPath().path + "/") else {
        throw problem("the \(kind) \"\(name)\" is a link that leaves its root folder; copy it there, or add its folder to the roots")
      }
      guard isDirectory.boolValue == isFolder else {
        throw problem(
          "the \(kind) \"\(name)\" is a \(isDirectory.boolValue ? "folder" : "file") where a \(isFolder ? "folder" : "file") is needed")
      }
      return candidate
    }
    let known = known(ending: ending, isFolder: isFolder, in: roots)
    throw problem(
      "there is no \(kind) \"\(name)\" below the configured roots; "
        + (known.isEmpty ? "they hold none" : "there are \(known.joined(separator: ", "))"))
  }

  /// At most ten names.
  private func known(ending: String, isFolder: Bool, in roots: [URL]) -> [String] {
    let names = roots.flatMap { (try? FileManager.default.contentsOfDirectory(atPath: $0.path)) ?? [] }
    return Array(
      names.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") && (!isFolder || !$0.contains(".jsonl")) }
        .map { String($0.dropLast(ending.count)) }.sorted().prefix(10))
  }
}
