/** Red, green and blue, one plane after the other. */
export const CHANNELS = 3;
