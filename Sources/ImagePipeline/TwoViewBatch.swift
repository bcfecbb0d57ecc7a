import TensorCore
public struct TwoViewBatch { public let view1, view2, box1, box2: Tensor
 public init(view1: Tensor, view2: Tensor, box1: Tensor, box2: Tensor) { self.view1=view1; self.view2=view2; self.box1=box1; self.box2=box2 } }
