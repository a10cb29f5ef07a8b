/** Where a payload descriptor of VP8 or VP9 holds the numbers of its picture. */
export interface PictureIdFields {
  readonly pictureIdAt: number
  /** 0 where there is none, 1 for 7 bits, 2 for 15 bits. */
  readonly pictureIdBytes: 0 | 1 | 2
  /** Offset of TL0PICIDX, the number of the picture of the lowest temporal layer, 8 bits. */
  readonly tl0PicIdxAt: number | undefined
}
