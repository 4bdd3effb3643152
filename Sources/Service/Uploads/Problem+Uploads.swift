import JobModel
import JobStore

extension Problem {
  init(_ error: UploadError) {
    switch error {
    case .inUse(let target, let job):
      self.init(
        .inUse, status: 409, title: "A job uses it",
        detail: "the job \(job) uses the \(target.kind.rawValue) \(target.name) and has not ended; wait for its end, or cancel it")
    case .unfinished(let target, let received, let total):
      self.init(
        .uploadUnfinished, status: 409, title: "An upload isn't finished",
        detail: "\(received)\(total.map { " of \($0)" } ?? "") bytes of \(target) are stored; finish the upload, or delete it")
    case .tooMany(let what, let limit, let key):
      self.init(
        .tooManyUploads, status: 429, title: "Too much was uploaded",
        detail: "there are \(limit) \(what), the most that \(key) allows; delete some")
    case .beingDeleted(let target):
      self.init(
        .uploadInProgress, status: 409, title: "A deletion isn't finished",
        detail: "the files of the \(target.kind.rawValue) \(target.name) are still being removed; try again later")
    case .unknown:
      self.init(.conflict, status: 409, title: "The upload is gone", detail: "it was deleted meanwhile; begin anew")
    }
  }
}
