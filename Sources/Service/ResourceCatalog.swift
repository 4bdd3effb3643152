import Foundation
import JobModel

/// Finds models and datasets by name below the configured roots, and never outside them.
public struct ResourceCatalog: Sendable {
  let modelRoots: [URL]
  let datasetRoots: [URL]

  public init(modelRoots: [URL], datasetRoots: [URL]) {
    self.modelRoots = modelRoots
    self.datasetRoots = datasetRoots
  }

  /// Looks into folders, so not for the threads of async code.
  ///
  /// - Parameter snapshot: Where the model is that comes from the Hub.
  /// - Throws: `Problem` that names the field whose name can't be found or leaves its root.
  public func files(of request: JobRequest, snapshot: URL? = nil) throws(Problem) -> JobFiles {
    JobFiles(
      model: try model(request, snapshot: snapshot),
      calibration: try dataset(request.calibration?.dataset, at: "/calibration/dataset"),
      evaluation: try dataset(request.evaluation?.dataset, at: "/evaluation/dataset"))
  }

  private func model(_ request: JobRequest, snapshot: URL?) throws(Problem) -> URL {
    switch request.model {
    case .name(let name): return try find(name, request.kind == .model ? .model : .layers, in: modelRoots, pointer: "/model")
    case .hub(let reference):
      guard let snapshot else { throw Problem.invalidModel("\(reference) of the Hub isn't downloaded") }
      return snapshot
    }
  }

  /// The folder of a model that a job could name, and what of it may be read.
  ///
  /// - Throws: `Problem` as `files(of:)` does.
  func folder(ofModel name: String) throws(Problem) -> ModelFolder {
    ModelFolder(try find(name, .model, in: modelRoots, pointer: "/model"), roots: modelRoots)
  }

  private func dataset(_ name: String?, at pointer: String) throws(Problem) -> URL? {
    guard let name else { return nil }
    return try find(name, .dataset, in: datasetRoots, pointer: pointer)
  }

  /// What a name stands for.
  enum Kind {
    /// A folder of that name.
    case model
    /// A file of that name with `.safetensors` at its end, which the name may have already.
    case layers
    /// A file of that name with `.jsonl` at its end.
    case dataset

    var noun: String {
      switch self {
      case .model: "model"
      case .layers: "file of layers"
      case .dataset: "dataset"
      }
    }

    var ending: String {
      switch self {
      case .model: ""
      case .layers: ".safetensors"
      case .dataset: ".jsonl"
      }
    }

    var code: Problem.Code { self == .dataset ? .invalidDataset : .invalidModel }

    func entry(_ name: String) -> String { self == .layers && name.hasSuffix(ending) ? name : name + ending }

    /// nil where there is nothing at the path; links are followed.
    func matches(_ path: String) -> Bool? {
      var isFolder: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
      return isFolder.boolValue == (self == .model)
    }
  }

  private func find(_ name: String, _ kind: Kind, in roots: [URL], pointer: String) throws(Problem) -> URL {
    func problem(_ detail: String) -> Problem {
      Problem(
        kind.code, status: 422, title: "The job names something that can't be used", detail: detail,
        errors: [.init(pointer: pointer, detail: detail)])
    }
    // Requests are checked when they are read; a stored one is from an older version at worst.
    guard ResourceName.isValid(name) else { throw problem("\"\(name.prefix(120))\" is not a name of a \(kind.noun)") }
    for root in roots {
      let candidate = root.appending(component: kind.entry(name))
      guard let isKind = kind.matches(candidate.path) else { continue }
      guard Self.isInside(candidate, root) else {
        throw problem("the \(kind.noun) \"\(name)\" is a link that leaves its root folder; copy it there, or add its folder to the roots")
      }
      if kind == .model, let entry = Self.linkOut(of: candidate, roots: roots) {
        throw problem(
          "\"\(entry)\" of the model \"\(name)\" is a link that leaves the root folders; copy the file there, or add its folder to the roots"
        )
      }
      guard isKind else {
        throw problem("\"\(kind.entry(name))\" is \(kind == .model ? "a file where a folder" : "a folder where a file") is needed")
      }
      guard FileManager.default.isReadableFile(atPath: candidate.path) else {
        throw problem("the \(kind.noun) \"\(name)\" may not be read by the daemon's user; change its permissions")
      }
      return candidate
    }
    let known = known(kind, in: roots)
    throw problem(
      "there is no \(kind.noun) \"\(name)\" below the configured roots; "
        + (known.isEmpty ? "they hold none" : "there are \(known.joined(separator: ", "))"))
  }

  static func isInside(_ url: URL, _ root: URL) -> Bool {
    let root = root.resolvingSymlinksInPath().pathComponents
    let components = url.resolvingSymlinksInPath().pathComponents
    return components.count > root.count && components.starts(with: root)
  }

  /// The first entry of a model's folder that is a link out of all roots: the job would read, and its artifact publish, a file that
  /// nobody meant to share. Links within the roots, such as those of a Hub cache, are fine.
  private static func linkOut(of folder: URL, roots: [URL]) -> String? {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return entries.sorted().first { entry in
      let url = folder.appending(component: entry)
      guard (try? FileManager.default.destinationOfSymbolicLink(atPath: url.path)) != nil else { return false }
      return !roots.contains { isInside(url, $0) }
    }
  }

  /// At most ten names.
  private func known(_ kind: Kind, in roots: [URL]) -> [String] { Array(Self.names(kind, in: roots).sorted().prefix(10)) }

  static func names(_ kind: Kind, in roots: [URL]) -> Set<String> {
    var names: Set<String> = []
    for root in roots {
      for entry in (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
      where entry.hasSuffix(kind.ending) && !entry.hasPrefix(".") {
        let candidate = root.appending(component: entry)
        if kind.matches(candidate.path) == true, isInside(candidate, root) { names.insert(String(entry.dropLast(kind.ending.count))) }
      }
    }
    return names
  }
}
